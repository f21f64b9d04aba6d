import { isExpression, sql, type QueryCreator, type RawBuilder, type Selectable } from 'kysely';

import type { Attempt, Call } from '../call/call';
import type { CallEvent, CallRejectedEvent } from '../call/event';
import { anyOf } from './any-of';
import type { CallEventsTable, CallsTable, Database, DatabaseTransaction, Schema } from './database';
import { callInJson, callToldIn } from './rows';

export interface NewEvent {
  type: CallEvent['type'];
  /** As it is known, or as the statement that tells of it makes it. */
  attempt?: Attempt | RawBuilder<Attempt>;
  reason?: string;
  /** Names what it tells of, so that it can be told once however often that is come upon: see `wasTold`. */
  source?: string;
}

/**
 * Writes what happened to calls, by the statement that made it happen: of each event a trigger puts the id in the outbox.
 *
 * @param db the statement so far, whose rows `changed` are the calls after the change, their `event_sequence` already
 *   counting these events
 */
export function tell(db: QueryCreator<Schema & { changed: CallsTable }>, events: readonly NewEvent[]) {
  const told = events.map(({ type, source, attempt, reason }, index) => {
    const inJson = attempt === undefined || isExpression(attempt) ? attempt : JSON.stringify(attempt);
    return sql`(${index + 1 - events.length}::integer, ${type}::text, ${source ?? null}::text,
                (${inJson ?? null})::text, ${reason ?? null}::text)`;
  });
  // Put together as text: json keeps its fields in their order, and null adds nothing.
  const rows = sql`
    select changed.id, changed.event_sequence + told.place, told.type, told.source,
           concat('{"call":', ${callInJson('changed')}, ',"attempt":' || told.attempt,
                  ',"reason":' || to_json(told.reason), '}')::json
      from changed
      cross join lateral (values ${sql.join(told)}) as told (place, type, source, attempt, reason)
     order by told.place`;
  return db.insertInto('call_events').columns(['call_id', 'sequence', 'type', 'source', 'body']).expression(rows);
}

/** The same of calls that the transaction has changed before. */
export async function tellOfEach(
  trx: DatabaseTransaction,
  ids: readonly string[],
  events: readonly NewEvent[],
): Promise<void> {
  const changed = trx.with('changed', (cte) => cte.selectFrom('calls').selectAll().where('id', '=', anyOf(ids)));
  await tell(changed, events).execute();
}

/** @returns whether there is an event of that source; whoever is about to tell one has locked its call's row */
export async function wasTold(trx: DatabaseTransaction, source: string): Promise<boolean> {
  const event = await trx.selectFrom('call_events').select('id').where('source', '=', source).executeTakeFirst();
  return event !== undefined;
}

/** Tells, once per message, that no call was made of it. `source` is the message's topic, partition and offset. */
export async function appendRejection(
  db: Database | DatabaseTransaction,
  source: string,
  rejection: Pick<CallRejectedEvent, 'requestId' | 'reason' | 'activeCallId'>,
): Promise<void> {
  await db
    .insertInto('call_events')
    .values({ call_id: null, sequence: 1, type: 'call.rejected', body: JSON.stringify(rejection), source })
    .onConflict((conflict) => conflict.column('source').where('source', 'is not', null).doNothing())
    .execute();
}

/** @returns those of the messages of which it has been told that no call was made */
export async function findRejectedSources(db: Database, sources: readonly string[]): Promise<Set<string>> {
  if (sources.length === 0) return new Set();
  const rows = await db
    .selectFrom('call_events')
    .select((eb) => eb.ref('source').$notNull().as('source'))
    .where('source', '=', anyOf(sources, 'text'))
    .execute();
  return new Set(rows.map((row) => row.source));
}

/** The event as `calls.events` and the timeline show it. */
export function eventOf(row: Selectable<CallEventsTable>): CallEvent | CallRejectedEvent {
  // The body was written by the two functions above; its shape follows from the type.
  return {
    eventId: row.event_id,
    callId: row.call_id,
    sequence: row.sequence,
    type: row.type,
    at: row.at.toISOString(),
    ...row.body,
    ...('call' in row.body && { call: callToldIn(row.body as { call: Call }) }),
  } as CallEvent | CallRejectedEvent;
}

/** A call's timeline, oldest first: the whole, or what came after that number. */
export async function listEvents(
  db: Database,
  callId: string,
  afterSequence = 0,
): Promise<(CallEvent | CallRejectedEvent)[]> {
  const rows = await db
    .selectFrom('call_events')
    .selectAll()
    .where('call_id', '=', callId)
    .where('sequence', '>', afterSequence)
    .orderBy('sequence')
    .execute();
  return rows.map(eventOf);
}

/** The channel on which whoever appends events (migration 0010) wakes a sleeping relay. */
export const eventNotices = 'call_events';

export interface OutboxEntry {
  id: number;
  event: CallEvent | CallRejectedEvent;
}

/** The oldest events that have not left yet. One call's events come in their order: each waits for the one before it. */
export async function readOutbox(db: Database | DatabaseTransaction, limit: number): Promise<OutboxEntry[]> {
  // Not as a join: a plan for a table that comes and goes might read all events there are.
  const waiting = db.selectFrom('outbox').select('event_id').orderBy('event_id').limit(limit);
  const rows = await db
    .selectFrom('call_events')
    .selectAll()
    .where('id', '=', sql<number>`any(array(${waiting}))`)
    .orderBy('id')
    .execute();
  return rows.map((row) => ({ id: row.id, event: eventOf(row) }));
}

/** They have left. */
export async function clearOutbox(db: Database | DatabaseTransaction, ids: readonly number[]): Promise<void> {
  await db
    .deleteFrom('outbox')
    .where(sql<boolean>`event_id = any(${ids}::bigint[])`)
    .execute();
}
