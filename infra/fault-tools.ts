import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { cachedDirectory } from './binary-cache';
import { libraryDirectories, unpackDebianPackage } from './debian-package';
import { compileGoProgram } from './go-program';
import { InfraError } from './infra-error';
import type { Places } from './places';
import { findOnPath } from './run-tool';
import versions from './versions.json';

const toxiproxy = {
  module: `github.com/Shopify/toxiproxy/v2/cmd/server@v${versions.toxiproxy}`,
  title: 'Toxiproxy',
  progress: 'Toxiproxy: compiling (once, under a minute)',
  remedy: 'install toxiproxy-server or Go.',
};

/**
 * What the tests break things with: Toxiproxy, which cuts connections and swallows replies, and libfaketime, which gives a
 * process a clock of its own.
 *
 * @returns the environment that tells the tests where each is
 */
export async function installFaultTools(places: Places, signal: AbortSignal): Promise<Record<string, string>> {
  const [proxy, faketime] = await Promise.all([toxiproxyServer(places, signal), faketimeLibrary(places, signal)]);
  return { TOXIPROXY_SERVER: proxy, FAKETIME_LIBRARY: faketime };
}

async function toxiproxyServer(places: Places, signal: AbortSignal): Promise<string> {
  const onPath = findOnPath('toxiproxy-server');
  if (onPath) return onPath;
  const cached = join(places.cache, `toxiproxy-${versions.toxiproxy}`);
  const compile = async (directory: string): Promise<void> => {
    await compileGoProgram(toxiproxy, directory, signal);
    renameSync(join(directory, 'server'), join(directory, 'toxiproxy-server'));
  };
  await cachedDirectory(cached, toxiproxy.title, compile, signal);
  return join(cached, 'toxiproxy-server');
}

async function faketimeLibrary(places: Places, signal: AbortSignal): Promise<string> {
  const installed = findLibrary('/');
  if (installed !== undefined) return installed;
  const cached = join(places.cache, 'faketime-debian');
  const wanted = { name: 'libfaketime', title: 'libfaketime', remedy: 'Install libfaketime.' };
  await cachedDirectory(cached, wanted.title, (directory) => unpackDebianPackage(wanted, directory, signal), signal);
  const unpacked = findLibrary(cached);
  if (unpacked === undefined) throw new InfraError(`libfaketime's package holds no library. ${wanted.remedy}`);
  return unpacked;
}

/** The one for programs with several threads, as Node.js is. */
function findLibrary(root: string): string | undefined {
  return libraryDirectories(root)
    .map((directory) => join(directory, 'faketime/libfaketimeMT.so.1'))
    .find(existsSync);
}
