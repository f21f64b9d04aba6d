import { sql } from 'kysely';

import { exampleBoard } from '../../src/api/board-examples';
import { completedCall, exampleAttempt, exampleEvents, exampleStoredReport, pendingCall } from '../../src/api/examples';
import {
  exampleDelivery,
  exampleDeliveryWithLog,
  exampleEndpoint,
  exampleSecret,
} from '../../src/api/webhook-examples';
import type { Call } from '../../src/call/call';
import type { Database } from '../../src/store/database';
import { newCall } from '../store/records';
import { insertCalls } from '../../src/store/accepted-calls';
import { pauseDialling } from '../../src/store/control';

/** What must be there before the example of a route gets the answer that the document shows, by route and status. */
export const stages: Record<string, (db: Database) => Promise<unknown>> = {
  'GET /calls 200': (db) => put(db, completedCall),
  'GET /calls/export 200': (db) => put(db, completedCall),
  'GET /calls/{id} 200': (db) => put(db, completedCall),
  'PATCH /calls/{id} 200': (db) => put(db, pendingCall),
  'GET /calls/{id}/attempts 200': putAttempt,
  'GET /calls/{id}/events 200': putEvents,
  'GET /calls/{id}/reports 200': putReport,
  'POST /calls/{id}/cancel 200': (db) => put(db, pendingCall),
  'POST /calls/{id}/retry 200': (db) => put(db, { ...pendingCall, status: 'FAILED', lastError: 'BUSY' }),
  'DELETE /calls/{id}/personal-data 200': (db) => put(db, completedCall),
  'POST /callbacks/call-status 200': putAttempt,
  ...Object.fromEntries(
    [
      ...['GET /webhook-endpoints', 'GET /webhook-endpoints/{id}', 'PATCH /webhook-endpoints/{id}'],
      ...['rotate-secret', 'enable', 'disable'].map((action) => `POST /webhook-endpoints/{id}/${action}`),
    ].map((route) => [`${route} 200`, (db: Database) => putEndpoint(db)]),
  ),
  ...Object.fromEntries(
    ['GET /webhook-deliveries', 'GET /webhook-deliveries/{id}', 'POST /webhook-deliveries/{id}/redeliver'].map(
      (route) => [`${route} 200`, putDelivery],
    ),
  ),
  'GET /metrics 200': (db) => put(db, completedCall),
  'GET /board 200': putBoard,
  'GET /statistics 200': putAttempt,
  'POST /control/resume 200': (db) => pauseDialling(db, null),
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

/** The example attempt, on the line; and a call that waits for its next one. */
async function putBoard(db: Database): Promise<void> {
  await putAttempt(db);
  await db.updateTable('calls').set({ status: 'IN_PROGRESS', ended_at: null }).execute();
  await db.updateTable('attempts').set({ outcome: null, ended_at: null }).execute();
  const { callId: id, to, startsAbout: nextAttemptAt } = exampleBoard.queue.calls[0]!;
  await put(db, { ...pendingCall, id, payload: { ...pendingCall.payload, to }, attempts: 1, nextAttemptAt });
}

async function putReport(db: Database): Promise<void> {
  await putAttempt(db);
  const { attemptId, externalCallId, status, durationSec, completedAt, receivedAt } = exampleStoredReport;
  await db
    .insertInto('provider_reports')
    .values({
      ...{ attempt_id: attemptId, external_call_id: externalCallId, status, duration_sec: durationSec },
      ...{ failure_reason: null, completed_at: new Date(completedAt), received_at: new Date(receivedAt) },
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

/** The example endpoint. @param differently in which columns it differs */
export async function putEndpoint(db: Database, differently: { disabled_at?: Date; disabled_reason?: string } = {}) {
  const { id, url, description, eventTypes, createdAt, updatedAt } = exampleEndpoint;
  await db
    .insertInto('webhook_endpoints')
    .values({
      ...{ id, url, description, event_types: eventTypes },
      secrets: JSON.stringify([{ secret: exampleSecret, createdAt, expiresAt: null }]),
      created_at: new Date(createdAt),
      updated_at: new Date(updatedAt),
      ...differently,
    })
    .execute();
}

/** The example delivery, of the example call's end, with its tries. */
export async function putDelivery(db: Database): Promise<void> {
  await putEvents(db);
  await putEndpoint(db);
  const { id, eventId, endpointId, callId, url, state, tries, lastStatus, createdAt, endedAt } = exampleDelivery;
  const event = await db
    .selectFrom('call_events')
    .select('id')
    .where('event_id', '=', eventId)
    .executeTakeFirstOrThrow();
  await db
    .insertInto('webhook_deliveries')
    .values({
      ...{ id, endpoint_id: endpointId, event_id: event.id, call_id: callId, url, state, tries },
      last_status: lastStatus,
      created_at: new Date(createdAt),
      started_at: new Date(createdAt),
      ended_at: endedAt === null ? null : new Date(endedAt),
    })
    .execute();
  const rows = exampleDeliveryWithLog.log.map(({ durationMs, at, ...one }) => ({
    ...{ ...one, delivery_id: id, duration_ms: durationMs, at: new Date(at) },
  }));
  await db.insertInto('webhook_tries').values(rows).execute();
}
