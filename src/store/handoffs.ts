import { sql } from 'kysely';

import type { CallRow, Database } from './database';

/** Calls whose workflow must still be told something for a while, the oldest order first. */
export async function listHandoffs(
  db: Database,
  options: { olderThanSeconds: number; limit: number },
): Promise<CallRow[]> {
  return db
    .selectFrom('calls')
    .selectAll()
    .where('handoff', 'is not', null)
    .where('handoff_at', '<=', sql<Date>`now() - make_interval(secs => ${options.olderThanSeconds})`)
    .orderBy('handoff_at')
    .limit(options.limit)
    .execute();
}

/** The order was carried out. One given meanwhile stays: it raised the call's event sequence. */
export async function clearHandoff(db: Database, row: CallRow): Promise<void> {
  await db
    .updateTable('calls')
    .set({ handoff: null, handoff_at: null })
    .where('id', '=', row.id)
    .where('handoff', '=', row.handoff)
    .where('event_sequence', '=', row.event_sequence)
    .execute();
}

/** There was no workflow to tell: the call needs one, in a round of its own. */
export async function requireStart(db: Database, row: CallRow): Promise<void> {
  await db
    .updateTable('calls')
    .set({ handoff: 'START', handoff_at: sql`now()`, round: sql`round + 1` })
    .where('id', '=', row.id)
    .where('status', '=', 'PENDING')
    .where('handoff', '=', row.handoff)
    .execute();
}
