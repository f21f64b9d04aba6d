import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { cachedDirectory } from './binary-cache';
import { libraryDirectories, unpackDebianPackage } from './debian-package';
import { InfraError } from './infra-error';
import type { Places } from './places';
import { withProgress } from './progress';
import { findOnPath, runTool } from './run-tool';
import versions from './versions.json';

const toxiproxyPackage = `github.com/Shopify/toxiproxy/v2/cmd/server@v${versions.toxiproxy}`;

/**
 * What the tests break things with: Toxiproxy, which cuts connections and swallows replies, and libfaketime, which gives a
 * process a clock of its own.
 *
 * @returns the environment that tells the tests where each is
 */
export async function installFaultTools(places: Places, signal: AbortSignal): Promise<Record<string, string>> {
  const [toxiproxy, faketime] = await Promise.all([toxiproxyServer(places, signal), faketimeLibrary(places, signal)]);
  return { TOXIPROXY_SERVER: toxiproxy, FAKETIME_LIBRARY: faketime };
}

async function toxiproxyServer(places: Places, signal: AbortSignal): Promise<string> {
  const onPath = findOnPath('toxiproxy-server');
  if (onPath) return onPath;
  const cached = join(places.cache, `toxiproxy-${versions.toxiproxy}`);
  await cachedDirectory(cached, 'Toxiproxy', (directory) => compileToxiproxy(directory, signal), signal);
  return join(cached, 'toxiproxy-server');
}

async function compileToxiproxy(directory: string, signal: AbortSignal): Promise<void> {
  const go = findOnPath('go');
  const remedy = 'install toxiproxy-server or Go.';
  if (!go) throw new InfraError(`Toxiproxy is not installed, and there is no Go to compile it: ${remedy}`);
  await withProgress('Toxiproxy: compiling (once, under a minute)', async () => {
    const env = { ...process.env, GOBIN: directory };
    await runTool(go, ['install', toxiproxyPackage], { env, cwd: directory, signal }).catch((error: unknown) => {
      if (!(error instanceof InfraError)) throw error;
      throw new InfraError(`Toxiproxy could not be compiled (${error.message}): see that Go's module proxy answers.`, {
        cause: error,
      });
    });
    renameSync(join(directory, 'server'), join(directory, 'toxiproxy-server'));
  });
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
