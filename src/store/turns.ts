import { sql } from 'kysely';

import { anyOf } from './any-of';
import type { Database } from './database';

export interface Turn {
  /** From when the attempt joined the queue until it held its slot. */
  waitedSeconds: number;
  /**
   * From when the slot's last attempt ended, where this one waited by then; else null: the slot was idle for want of calls,
   * or because dialling was paused.
   */
  slotIdleSeconds: number | null;
}

/** How attempts that have begun came by their slots, by PostgreSQL's clock. */
export async function readTurns(db: Database, attemptIds: readonly string[]): Promise<Turn[]> {
  const { rows } = await sql<Turn>`
    select extract(epoch from began.started_at - began.queued_at)::double precision as "waitedSeconds",
           extract(epoch from began.started_at - last.ended_at)::double precision as "slotIdleSeconds"
      from attempts as began
      left join lateral (
        select max(ended_at) as ended_at from attempts
         where slot = began.slot and started_at is not null
           and ended_at >= began.queued_at and ended_at <= began.started_at
           and ended_at >= coalesce((select resumed_at from control), '-infinity')
      ) as last on true
     where began.id = ${anyOf(attemptIds)} and began.started_at is not null`.execute(db);
  return rows;
}
