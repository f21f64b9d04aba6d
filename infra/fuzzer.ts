import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cachedDirectory } from './binary-cache';
import { InfraError } from './infra-error';
import type { Places } from './places';
import { withProgress } from './progress';
import { findOnPath, runTool } from './run-tool';
import versions from './versions.json';

const remedy =
  'install Python 3.10 or newer with its venv module (Debian and Ubuntu: apt install python3-venv), see that PyPI answers, ' +
  'and start again. Nothing else needs Python.';

/**
 * Schemathesis, which makes requests from /openapi.json, in a Python environment of its own in the cache. Each package is of
 * the version in infra/fuzzer-requirements.txt.
 *
 * @returns the Python to run `-m schemathesis.cli` with
 */
export async function installFuzzer(places: Places, signal: AbortSignal): Promise<string> {
  const cached = join(places.cache, `schemathesis-${versions.schemathesis}`);
  const install = (directory: string): Promise<void> =>
    withProgress(`Schemathesis ${versions.schemathesis}: installing (once, under a minute)`, async () => {
      const python = findOnPath('python3');
      if (python === undefined)
        throw new InfraError(`The fuzzer, Schemathesis, needs Python, and there is none: ${remedy}`);
      const requirements = join(places.checkout, 'infra/fuzzer-requirements.txt');
      try {
        await runTool(python, ['-m', 'venv', directory], { signal });
        const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', requirements];
        await runTool(join(directory, 'bin/python'), pip, { signal });
      } catch (error) {
        if (!(error instanceof InfraError)) throw error;
        throw new InfraError(`Schemathesis could not be installed (${error.message}): ${remedy}`, { cause: error });
      }
    });
  await cachedDirectory(cached, 'Schemathesis', install, signal);
  // Through its interpreter: the commands beside it name the directory that it was built in.
  const python = join(cached, 'bin/python');
  if (!existsSync(python)) throw new InfraError(`${cached} holds no Python: delete it, and start again.`);
  return python;
}
