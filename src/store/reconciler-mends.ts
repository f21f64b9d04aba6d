import { sql } from 'kysely';

import { reconcilerDuties, type ReconcilerDuty } from '../call/reconciler-duties';
import type { Database } from './database';

/** A duty came to its end, having mended so much. */
export async function recordDuty(db: Database, duty: ReconcilerDuty, mended: number): Promise<void> {
  await sql`
    insert into reconciler_mends as kept (duty, mended, last_at, completed_at)
    values (${duty}, ${mended}, ${mended > 0 ? sql`now()` : null}, now())
    on conflict (duty) do update
       set mended = kept.mended + excluded.mended,
           last_at = coalesce(excluded.last_at, kept.last_at),
           completed_at = excluded.completed_at`.execute(db);
}

export interface ReconcilerRecord {
  /** How much each duty has mended, ever. */
  mended: Record<ReconcilerDuty, number>;
  /** By when every duty had last come to its end; null where one never has. */
  lastRoundAt: Date | null;
}

export async function readReconcilerRecord(db: Database): Promise<ReconcilerRecord> {
  const rows = await db.selectFrom('reconciler_mends').select(['duty', 'mended', 'completed_at']).execute();
  const recordOf = (duty: ReconcilerDuty) => rows.find((row) => row.duty === duty);
  const mended = reconcilerDuties.map((duty) => [duty, recordOf(duty)?.mended ?? 0]);
  const completed = reconcilerDuties.map((duty) => recordOf(duty)?.completed_at?.getTime() ?? -Infinity);
  const last = Math.min(...completed);
  return {
    mended: Object.fromEntries(mended) as ReconcilerRecord['mended'],
    lastRoundAt: Number.isFinite(last) ? new Date(last) : null,
  };
}
