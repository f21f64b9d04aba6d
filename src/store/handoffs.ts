import { sql } from 'kysely';

import { anyOf } from './any-of';
import { tellOfEach, type NewEvent } from './call-events';
import { updateCall } from './calls';
import type { CallRow, Database } from './database';

const columns = [
  'id',
  'round',
  'to_number',
  'script_id',
  'status',
  'max_attempts',
  'created_at',
  'updated_at',
  'expires_at',
  'event_sequence',
  'handoff',
  'handoff_at',
] as const;

/** Of a call, what it takes to tell its workflow. */
export type HandoffRow = Pick<CallRow, (typeof columns)[number]>;

/** Calls whose workflow must still be told something for a while, the oldest order first. */
export async function listHandoffs(
  db: Database,
  options: { olderThanSeconds: number; limit: number },
): Promise<HandoffRow[]> {
  return db
    .selectFrom('calls')
    .select(columns)
    .where('handoff', 'is not', null)
    .where('handoff_at', '<=', sql<Date>`now() - make_interval(secs => ${options.olderThanSeconds})`)
    .orderBy('handoff_at')
    .limit(options.limit)
    .execute();
}

/** Those of the calls whose workflow must still be told something, in the order of the ids. */
export async function readHandoffs(db: Database, ids: readonly string[]): Promise<HandoffRow[]> {
  const rows = await db
    .selectFrom('calls')
    .select(columns)
    .where('id', '=', anyOf(ids))
    .where('handoff', 'is not', null)
    .execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** Told by whoever takes the order off the row: the sweep that carried it out, or the workflow's first step. */
export const startedLate = {
  type: 'call.updated',
  reason: 'started late: its workflow had not been started',
} as const satisfies NewEvent;

/** An order that was carried out: on the row as it was read. */
export interface DoneHandoff {
  row: HandoffRow;
  /** Set where the reconciler had to do it: told with the clearing of the order, so that it is told once. */
  late?: NewEvent;
}

/**
 * The orders were carried out. One given meanwhile stays: it raised the call's event sequence. An order that stays by
 * mistake is carried out once more, which changes nothing.
 */
export async function clearHandoffs(db: Database, done: readonly DoneHandoff[]): Promise<void> {
  const quiet = done.filter(({ late }) => late === undefined);
  const told = done.filter(({ late }) => late !== undefined);
  if (quiet.length > 0) await clear(db, quiet, false).execute();
  if (told.length === 0) return;
  await db.transaction().execute(async (trx) => {
    // In one order, so that two sweeps never wait for each other in a ring.
    await sql`select id from calls where ${among(told)} order by id for update`.execute(trx);
    const cleared = new Set((await clear(trx, told, true).returning('id').execute()).map(({ id }) => id));
    for (const event of new Set(told.flatMap(({ late }) => late ?? []))) {
      const ids = told.flatMap(({ row, late }) => (late === event && cleared.has(row.id) ? [row.id] : []));
      await tellOfEach(trx, ids, [event]);
    }
  });
}

function clear(db: Database, done: readonly DoneHandoff[], told: boolean) {
  return db
    .updateTable('calls')
    .set({
      handoff: null,
      handoff_at: null,
      ...(told && { event_sequence: sql<number>`event_sequence + 1`, updated_at: sql<Date>`now()` }),
    })
    .where(among(done));
}

/** The rows as they were read. */
function among(done: readonly DoneHandoff[]) {
  const rows = done.map(({ row }) => row);
  return sql<boolean>`(id, handoff, event_sequence) in (select * from unnest(
    ${rows.map(({ id }) => id)}::uuid[], ${rows.map(({ handoff }) => handoff)}::text[],
    ${rows.map(({ event_sequence }) => event_sequence)}::integer[]))`;
}

/** There was no workflow to tell: the call needs one, in a round of its own. */
export async function requireStart(db: Database, row: HandoffRow): Promise<void> {
  await updateCall(db, row.id, {
    from: ['PENDING'],
    set: { handoff: 'START', handoff_at: sql`now()`, round: sql`round + 1` },
    when: (eb) => eb('handoff', '=', row.handoff),
    events: [{ type: 'call.updated', reason: 'edited after its workflow had ended: started again' }],
  });
}
