import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { InfraError } from './infra-error';
import { withProgress } from './progress';
import { findOnPath, runTool } from './run-tool';

export interface DebianPackage {
  name: string;
  /** For people: `Redis`. */
  title: string;
  /** What a person can do where this fails. */
  remedy: string;
}

/**
 * Downloads one of the system's own packages, and those it needs that are not installed, and unpacks them aside: this
 * takes no root, starts no system service and leaves the system's packages as they are.
 */
export async function unpackDebianPackage(
  { name, title, remedy }: DebianPackage,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const aptGet = findOnPath('apt-get');
  const dpkg = findOnPath('dpkg');
  if (!aptGet || !dpkg)
    throw new InfraError(`${title} is not installed, and there is no apt-get to fetch it. ${remedy}`);
  await withProgress(`${title}: downloading (once, about half a minute)`, async () => {
    const apt = join(directory, 'apt');
    mkdirSync(join(apt, 'lists/partial'), { recursive: true });
    mkdirSync(join(apt, 'cache/archives/partial'), { recursive: true });
    const aside = [
      ...['-o', `Dir::State::lists=${join(apt, 'lists')}`, '-o', `Dir::Cache=${join(apt, 'cache')}`],
      ...['-o', 'Debug::NoLocking=1', '-o', 'APT::Sandbox::User=root', '-qq', '-y'],
    ];
    const install = ['install', '--reinstall', '--download-only', '--no-install-recommends', name];
    try {
      await runTool(aptGet, [...aside, 'update'], { signal });
      await runTool(aptGet, [...aside, ...install], { signal });
    } catch (error) {
      if (!(error instanceof InfraError)) throw error;
      throw new InfraError(`${title} could not be downloaded (${error.message}). ${remedy}`, { cause: error });
    }
    const archives = join(apt, 'cache/archives');
    for (const archive of readdirSync(archives).filter((file) => file.endsWith('.deb'))) {
      await runTool(dpkg, ['-x', join(archives, archive), directory], { signal });
    }
    rmSync(apt, { recursive: true });
  });
}

/** Where the unpacked packages keep their shared libraries, those that only one package looks for among them. */
export function libraryDirectories(root: string): string[] {
  return ['lib', 'usr/lib']
    .map((directory) => join(root, directory))
    .filter(existsSync)
    .flatMap(subdirectories)
    .filter((directory) => directory.includes('-linux-'))
    .flatMap((directory) => [directory, ...subdirectories(directory).filter(holdsLibraries)]);
}

function subdirectories(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(directory, name));
}

function holdsLibraries(directory: string): boolean {
  return readdirSync(directory).some((name) => /^lib.*\.so(\.|$)/.test(name));
}
