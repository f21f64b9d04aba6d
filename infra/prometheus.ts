import { join } from 'node:path';
import { cachedDirectory } from './binary-cache';
import { unpackDebianPackage } from './debian-package';
import type { Places } from './places';
import { findOnPath } from './run-tool';

const wanted = { name: 'prometheus', title: 'Prometheus', remedy: 'Install prometheus with promtool.' };

/**
 * Prometheus and its promtool, to which the tests hold the rules and the dashboard.
 *
 * @returns the environment that tells the tests where each is
 */
export async function installPrometheus(places: Places, signal: AbortSignal): Promise<Record<string, string>> {
  const [prometheus, promtool] = [findOnPath('prometheus'), findOnPath('promtool')];
  if (prometheus && promtool) return { PROMETHEUS: prometheus, PROMTOOL: promtool };
  const cached = join(places.cache, 'prometheus-debian');
  await cachedDirectory(cached, wanted.title, (directory) => unpackDebianPackage(wanted, directory, signal), signal);
  return { PROMETHEUS: join(cached, 'usr/bin/prometheus'), PROMTOOL: join(cached, 'usr/bin/promtool') };
}
