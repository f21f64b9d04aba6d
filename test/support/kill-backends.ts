import { sql } from 'kysely';

import type { Database } from '../../src/store/database';
import { isDatabaseAway } from '../../src/store/database-errors';
import { waitUntil } from './wait-until';

/**
 * `kill -9` to every process that serves a client: PostgreSQL then restarts itself and recovers.
 *
 * @returns how many there were
 */
export async function killBackends(db: Database): Promise<number> {
  const backends = sql<{ pid: number }>`
    select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`;
  // It may be recovering from the last time, though others have got through to it already.
  const { rows } = await waitUntil('PostgreSQL answers', () => backends.execute(db).catch(noneIfAway));
  return rows.filter(({ pid }) => killIfThere(pid)).length;
}

function noneIfAway(error: unknown): undefined {
  if (!isDatabaseAway(error)) throw error;
}

/** It may have ended by itself since it was listed. */
function killIfThere(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    return false;
  }
}
