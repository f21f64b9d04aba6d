import type { Pause } from '../call/board';
import type { Database, DatabaseTransaction } from './database';

/** @returns the pause that is on, or null */
export async function readPause(db: Database | DatabaseTransaction): Promise<Pause | null> {
  const row = await db.selectFrom('control').selectAll().executeTakeFirst();
  return row?.paused_at == null ? null : { since: row.paused_at.toISOString(), reason: row.reason };
}
