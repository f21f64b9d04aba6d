import { InfraError } from './infra-error';
import { withProgress } from './progress';
import { findOnPath, runTool } from './run-tool';

export interface GoProgram {
  /** `<module path>@<version>` of its main package. */
  module: string;
  /** For people: `Temporal`. */
  title: string;
  /** What is being done, and how long it takes. */
  progress: string;
  /** What a person can do where there is no Go. */
  remedy: string;
}

/** Compiles a program of Go's module proxy into a directory, under the name of its package. */
export async function compileGoProgram(
  { module, title, progress, remedy }: GoProgram,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const go = findOnPath('go');
  if (!go) throw new InfraError(`${title} is not installed, and there is no Go to compile it: ${remedy}`);
  await withProgress(progress, async () => {
    const env = { ...process.env, GOBIN: directory };
    await runTool(go, ['install', module], { env, cwd: directory, signal }).catch((error: unknown) => {
      if (!(error instanceof InfraError)) throw error;
      throw new InfraError(
        `${title} could not be compiled (${error.message}): see that Go's module proxy answers, and start again.`,
        { cause: error },
      );
    });
  });
}
