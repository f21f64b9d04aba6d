import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { withLock } from './file-lock';
import { say } from './progress';

/**
 * Makes `directory` once, whole or not at all: built aside and renamed, by one process at a time.
 *
 * @param title for the line that says why another run's build is waited for
 */
export async function cachedDirectory(
  directory: string,
  title: string,
  build: (temporary: string) => Promise<void>,
  signal: AbortSignal,
): Promise<string> {
  if (existsSync(directory)) return directory;
  mkdirSync(dirname(directory), { recursive: true });
  const onWait = (pid: number): void => say(`${title}: waiting for process ${pid}, which is installing it`);
  return withLock(
    `${directory}.lock`,
    async () => {
      if (existsSync(directory)) return directory;
      const temporary = mkdtempSync(`${directory}.part-`);
      try {
        // mkdtemp lets nobody else in; PostgreSQL runs as another user where we are root.
        chmodSync(temporary, 0o755);
        await build(temporary);
        renameSync(temporary, directory);
        return directory;
      } finally {
        rmSync(temporary, { recursive: true, force: true });
      }
    },
    { signal, onWait },
  );
}
