import { sql } from 'kysely';

import { eventOf, type OutboxEntry } from './call-events';
import type { Database } from './database';

/**
 * A place in the stream of all events. Ids are drawn in another order than that in which transactions commit, so that
 * who reads on from an id misses what commits later with a lower one. A stream goes in steps instead: all events of the
 * transactions from `from` up to, not including, `to`, in order of their ids. `to` is the lowest transaction that ran
 * when the step was made, so nothing can join it any more; and since of one call's events the later is appended only
 * after the earlier was committed, neither a step's order nor that of the steps swaps the two.
 */
export interface EventPlace {
  from: string;
  /** Null between two steps. */
  to: string | null;
  /** Within the step. */
  afterId: number;
}

/** @returns the lowest transaction that runs, and the first that does not exist yet */
export async function readHorizon(db: Database): Promise<{ lowest: string; next: string }> {
  const { rows } = await sql<{ lowest: string; next: string }>`
    select pg_snapshot_xmin(pg_current_snapshot())::text as lowest,
           pg_snapshot_xmax(pg_current_snapshot())::text as next`.execute(db);
  const [row] = rows;
  if (!row) throw new Error('PostgreSQL gave no snapshot');
  return row;
}

/** The step's next events. */
export async function readStep(
  db: Database,
  { from, to, afterId }: EventPlace & { to: string },
  limit: number,
): Promise<OutboxEntry[]> {
  const rows = await db
    .selectFrom('call_events')
    .selectAll()
    .where('xid', '>=', sql<string>`${from}::xid8`)
    .where('xid', '<', sql<string>`${to}::xid8`)
    .where('id', '>', afterId)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ id: row.id, event: eventOf(row) }));
}
