import { createHash } from 'node:crypto';

import { sql } from 'kysely';

import type { Call, CallPayload } from '../call/call';
import { anyOf } from './any-of';
import type { CallRow, Database } from './database';
import type { HandoffRow } from './handoffs';
import { placeInQueue } from './queue-place';
import { callInJson, callOf, callToldIn, type ShownRow } from './rows';

export interface NewCall extends CallPayload {
  id: string;
  priority: number;
  expiresAt: Date;
  maxAttempts: number;
  requestKey: string | null;
  requestHash: string | null;
  source: string | null;
  webhookUrl: string | null;
}

/**
 * Inserts the calls that no unique index holds back, each with its `call.accepted` event, in one statement: one round
 * trip, durable or not at all. A call left out met an active call to its number, or its request key or source is known.
 * They take their places as they come, and are inserted by their phone numbers: statements that had the same numbers in
 * different orders would wait for each other.
 *
 * @param startsWithinSeconds after these their workflows have been started, or somebody must see to it
 * @returns the calls inserted, in no given order
 */
export async function insertCalls(
  db: Database,
  calls: readonly NewCall[],
  startsWithinSeconds = 0,
): Promise<{ row: HandoffRow; call: Call }[]> {
  // One parameter, so that the statement's text is the same however many they are.
  const rows = calls.map(rowOf);
  const inserted = await sql<Pick<CallRow, 'id' | 'metadata' | 'created_at' | 'handoff_at'>>`
    with accepted as (
      insert into calls (id, to_number, script_id, metadata, priority, max_attempts, expires_at,
                         request_key, request_hash, source, webhook_url, seq, queue_seq, handoff, handoff_at)
      select numbered.*, ${placeInQueue(sql.ref('numbered.priority'), sql.ref('numbered.seq'))}, 'START',
             now() + make_interval(secs => ${startsWithinSeconds})
        from (select new.*, nextval('call_order') as seq
                from json_to_recordset(${JSON.stringify(rows)})
                  as new (id uuid, to_number text, script_id text, metadata jsonb, priority smallint,
                          max_attempts integer, expires_at timestamptz, request_key text, request_hash text,
                          source text, webhook_url text)) as numbered
       order by numbered.to_number, numbered.seq
      on conflict do nothing
      returning *
    ), told as (
      insert into call_events (call_id, sequence, type, body)
      select id, 1, 'call.accepted', json_build_object('call', ${callInJson('accepted')})
        from accepted
    )
    select id, metadata, created_at, handoff_at from accepted`.execute(db);
  const given = new Map(calls.map((call) => [call.id, call]));
  return inserted.rows.flatMap((row) => {
    const call = given.get(row.id);
    return call === undefined ? [] : [accepted(call, row)];
  });
}

/** As the statement left it. Most columns are what was given: to read each of them back took a tenth of Kafka's intake. */
function accepted(
  given: NewCall,
  { metadata, created_at, handoff_at }: Pick<CallRow, 'metadata' | 'created_at' | 'handoff_at'>,
): { row: HandoffRow; call: Call } {
  const row: HandoffRow & ShownRow = {
    id: given.id,
    round: 1,
    to_number: given.to,
    script_id: given.scriptId,
    metadata,
    priority: given.priority,
    status: 'PENDING',
    attempts: 0,
    max_attempts: given.maxAttempts,
    last_error: null,
    external_call_id: null,
    created_at,
    started_at: null,
    ended_at: null,
    updated_at: created_at,
    expires_at: given.expiresAt,
    next_attempt_at: null,
    event_sequence: 1,
    handoff: 'START',
    handoff_at,
    webhook_url: given.webhookUrl,
    forgotten_at: null,
  };
  return { row, call: callOf(row) };
}

/** Name by name: taken apart with a rest and spread, a call costs four times as much (measured). */
function rowOf(call: NewCall) {
  return {
    id: call.id,
    to_number: call.to,
    script_id: call.scriptId,
    metadata: call.metadata,
    priority: call.priority,
    max_attempts: call.maxAttempts,
    expires_at: call.expiresAt,
    request_key: call.requestKey,
    request_hash: call.requestHash,
    source: call.source,
    webhook_url: call.webhookUrl,
  };
}

/** @returns by request key the calls that came with one of these, also those whose key was forgotten but for its hash */
export async function findByRequestKeys(db: Database, keys: readonly string[]): Promise<Map<string, CallRow>> {
  if (keys.length === 0) return new Map();
  const keyOf = new Map(keys.map((key) => [createHash('sha256').update(key).digest('hex'), key]));
  const rows = await db
    .selectFrom('calls')
    .selectAll()
    .where((eb) =>
      eb.or([
        eb('request_key', '=', anyOf(keys, 'text')),
        eb('request_key_hash', '=', anyOf([...keyOf.keys()], 'text')),
      ]),
    )
    .execute();
  return new Map(
    rows.flatMap((row) => {
      const key = row.request_key ?? keyOf.get(row.request_key_hash ?? '');
      return key === undefined ? [] : [[key, row]];
    }),
  );
}

/** @returns by source the calls that came by one of these messages */
export async function findBySources(db: Database, sources: readonly string[]): Promise<Map<string, CallRow>> {
  if (sources.length === 0) return new Map();
  const rows = await db.selectFrom('calls').selectAll().where('source', '=', anyOf(sources, 'text')).execute();
  return new Map(rows.flatMap((row) => (row.source === null ? [] : [[row.source, row]])));
}

/** @returns those of the messages that have a call */
export async function findCalledSources(db: Database, sources: readonly string[]): Promise<Set<string>> {
  if (sources.length === 0) return new Set();
  const rows = await db
    .selectFrom('calls')
    .select((eb) => eb.ref('source').$notNull().as('source'))
    .where('source', '=', anyOf(sources, 'text'))
    .execute();
  return new Set(rows.map((row) => row.source));
}

/** The calls, by id, as they were when they were accepted: the answers their requests got. */
export async function readAcceptedCalls(db: Database, ids: readonly string[]): Promise<Map<string, Call>> {
  if (ids.length === 0) return new Map();
  const events = await db
    .selectFrom('call_events')
    .select(['call_id', 'body'])
    .where('call_id', '=', anyOf(ids))
    .where('sequence', '=', 1)
    .execute();
  // Written by insertCalls above.
  return new Map(
    events.flatMap(({ call_id, body }) => (call_id ? [[call_id, callToldIn(body as { call: Call })]] : [])),
  );
}
