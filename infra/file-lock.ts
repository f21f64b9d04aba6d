import { linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isAlive, readRecord, recordOf } from './process-record';
import { waitUntil } from './wait-until';

const longestWaitSeconds = 1800;

/**
 * Runs `work` while no other process holds `file`. A holder that died without letting go is recognised by its
 * process record, so a lock never outlives its owner.
 *
 * @param onWait called once when somebody else holds it
 */
export async function withLock<T>(
  file: string,
  work: () => Promise<T>,
  { signal, onWait }: { signal?: AbortSignal; onWait?: (pid: number) => void } = {},
): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  let told = false;
  const taken = await waitUntil(
    () => {
      if (take(file)) return true;
      const holder = readRecord(file);
      if (holder && !told) onWait?.(holder.pid);
      told ||= holder !== undefined;
      return false;
    },
    { deadlineSeconds: longestWaitSeconds, pollMilliseconds: 200, ...(signal ? { signal } : {}) },
  );
  if (!taken) throw new Error(`${file} stayed locked for ${longestWaitSeconds} seconds`);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string): boolean {
  // Written aside and linked into place: nobody ever reads a lock that is only half written.
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(recordOf(process.pid)));
  try {
    if (tryLink(mine, file)) return true;
    return removeIfStale(file) && tryLink(mine, file);
  } finally {
    rmSync(mine, { force: true });
  }
}

function removeIfStale(file: string): boolean {
  const holder = readRecord(file);
  if (holder && isAlive(holder)) return false;
  const aside = `${file}.stale-${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return true;
  }
  // Between the look and the rename another process may have removed the stale lock and taken it itself.
  const removed = readRecord(aside);
  const wrong = removed !== undefined && isAlive(removed);
  if (wrong) tryLink(aside, file);
  rmSync(aside, { force: true });
  return !wrong;
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
