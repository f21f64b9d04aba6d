import { sql } from 'kysely';

import { completedCall, exampleAttempt, exampleEvents, pendingCall } from '../../src/api/examples';
import type { Call } from '../../src/call/call';
import type { Database } from '../../src/store/database';
import { newCall } from '../store/records';
import { insertCalls } from '../../src/store/accepted-calls';

/** What must be there before the example of a route gets the answer that the document shows, by route and status. */
export const stages: Record<string, (db: Database) => Promise<unknown>> = {
  'GET /calls 200': (db) => put(db, completedCall),
  'GET /calls/export 200': (db) => put(db, completedCall),
  'GET /calls/{id} 200': (db) => put(db, completedCall),
  'PATCH /calls/{id} 200': (db) => put(db, pendingCall),
  'GET /calls/{id}/attempts 200': putAttempt,
  'GET /calls/{id}/events 200': putEvents,
  'POST /calls/{id}/cancel 200': (db) => put(db, pendingCall),
  'POST /calls/{id}/retry 200': (db) => put(db, { ...pendingCall, status: 'FAILED', lastError: 'BUSY' }),
  'DELETE /calls/{id}/personal-data 200': (db) => put(db, completedCall),
  'POST /callbacks/call-status 200': putAttempt,
  'GET /metrics 200': (db) => put(db, completedCall),
};

/** Every table of the record, emptied. */
export async function clear(db: Database): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select quote_ident(tablename) as name from pg_tables
     where schemaname = 'public' and tablename !~ '^(kysely|reconciler)'`.execute(db);
  await sql`truncate ${sql.raw(rows.map(({ name }) => name).join(', '))} restart identity`.execute(db);
}

/** A call that is, to the letter, that one. */
export async function put(db: Database, call: Call): Promise<void> {
  const { id, payload, priority, maxAttempts, webhookUrl } = call;
  const values = { id, ...payload, priority, maxAttempts, webhookUrl, expiresAt: new Date(call.expiresAt) };
  await insertCalls(db, [newCall(values)]);
  const at = (time: string | null) => (time === null ? null : new Date(time));
  await db
    .updateTable('calls')
    .set({
      status: call.status,
      attempts: call.attempts,
      last_error: call.lastError,
      external_call_id: call.externalCallId,
      created_at: new Date(call.createdAt),
      started_at: at(call.startedAt),
      ended_at: at(call.endedAt),
      updated_at: new Date(call.updatedAt),
      next_attempt_at: at(call.nextAttemptAt),
      forgotten_at: at(call.forgottenAt),
      handoff: null,
    })
    .where('id', '=', id)
    .execute();
}

async function putAttempt(db: Database): Promise<void> {
  await put(db, completedCall);
  const { id, callId, number, slot, externalCallId, outcome, durationSec, queuedAt, startedAt, endedAt } =
    exampleAttempt;
  await db
    .insertInto('attempts')
    .values({
      id,
      call_id: callId,
      round: 1,
      queue_seq: 1,
      run_id: 'run',
      run_number: 1,
      number,
      slot,
      to_number: completedCall.payload.to,
      external_call_id: externalCallId,
      outcome,
      duration_sec: durationSec,
      queued_at: new Date(queuedAt),
      started_at: new Date(startedAt),
      ended_at: endedAt === null ? null : new Date(endedAt),
    })
    .execute();
}

async function putEvents(db: Database): Promise<void> {
  await put(db, completedCall);
  await db.deleteFrom('call_events').execute();
  await db
    .insertInto('call_events')
    .values(
      exampleEvents.map(({ eventId, callId, sequence, type, at, call }) => ({
        event_id: eventId,
        call_id: callId,
        sequence,
        type,
        at: new Date(at),
        body: JSON.stringify({ call }),
      })),
    )
    .execute();
}
