import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cachedDirectory } from './binary-cache';
import { libraryDirectories, unpackDebianPackage } from './debian-package';
import { InfraError } from './infra-error';
import type { Places } from './places';
import { findOnPath, runTool } from './run-tool';

const title = 'Chromium';
const remedy = 'Install Chromium, or set CHROMIUM to a program that is one.';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const onMac = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

/**
 * The browser that the live page is tested in: the one that CHROMIUM names, or that is installed, or Debian's package
 * unpacked aside, with the libraries and fonts it needs.
 *
 * @returns the environment that tells the tests where it is
 */
export async function installBrowser(places: Places, signal: AbortSignal): Promise<Record<string, string>> {
  const named = process.env['CHROMIUM'];
  if (named) return { CHROMIUM: named };
  const installed = names.map(findOnPath).find((path) => path !== undefined) ?? (existsSync(onMac) ? onMac : undefined);
  if (installed !== undefined) return { CHROMIUM: installed };
  const cached = join(places.cache, 'chromium-debian');
  await cachedDirectory(cached, title, (directory) => unpack(directory, signal), signal);
  return { CHROMIUM: join(cached, launcher) };
}

const launcher = 'chromium';

async function unpack(directory: string, signal: AbortSignal): Promise<void> {
  // Fonts that it only recommends come along: without one a page has no text to look at.
  for (const name of ['chromium', 'fonts-liberation']) {
    await unpackDebianPackage({ name, title: `${title} (${name})`, remedy }, directory, signal);
  }
  const path = join(directory, launcher);
  writeFileSync(path, launcherScript(libraryDirectories(directory)));
  writeFileSync(join(directory, 'fonts.conf'), fontsConfiguration);
  chmodSync(path, 0o755);
  const said = await runTool(path, ['--version'], { signal }).catch((error: unknown) => {
    if (!(error instanceof InfraError)) throw error;
    throw new InfraError(`${title}, unpacked aside, does not run (${error.message}). ${remedy}`, { cause: error });
  });
  if (!said.includes('Chromium')) throw new InfraError(`${title} says "${said.trim()}" of its version. ${remedy}`);
}

/** Relative to itself, since the directory is renamed once it is whole. */
function launcherScript(libraries: readonly string[]): string {
  const inside = libraries.map((path) => `$here/${path.slice(path.indexOf('/usr/lib/') + 1)}`).join(':');
  return `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="${inside}:$here/usr/lib/chromium"
export FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/usr/lib/chromium/chromium" "$@"
`;
}

const fontsConfiguration = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <alias binding="strong"><family>system-ui</family><prefer><family>Liberation Sans</family></prefer></alias>
  <alias binding="strong"><family>sans-serif</family><prefer><family>Liberation Sans</family></prefer></alias>
  <alias binding="strong"><family>monospace</family><prefer><family>Liberation Mono</family></prefer></alias>
</fontconfig>
`;
