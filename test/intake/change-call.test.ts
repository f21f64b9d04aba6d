import { randomUUID } from 'node:crypto';

import { callStatuses, type CallStatus } from '../../src/call/call';
import { CallError, type ErrorCode } from '../../src/call/errors';
import { cancelCall, editCall, retryCall } from '../../src/intake/change-call';
import { listEvents } from '../../src/store/call-events';
import { findCall } from '../../src/store/calls';
import type { CallRow, Database, Handoff } from '../../src/store/database';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { acceptedCall, callIn, freshNumber } from '../store/records';

const policy = { MAX_ATTEMPTS: 5, DEFAULT_EXPIRY_SECONDS: 600 };

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());

/** @returns the error's code, or undefined where it worked */
async function refusal(change: Promise<unknown>): Promise<ErrorCode | undefined> {
  try {
    await change;
    return undefined;
  } catch (error) {
    if (error instanceof CallError) return error.code;
    throw error;
  }
}

const lastEvent = async (id: string) => (await listEvents(db, id)).at(-1);
const told = (id: string) =>
  db.updateTable('calls').set({ handoff: null, handoff_at: null }).where('id', '=', id).execute();

const verbs: [string, (id: string) => Promise<CallRow>, readonly CallStatus[], ErrorCode][] = [
  ['edited', (id) => editCall(db, id, { scriptId: 'other' }), ['PENDING'], 'CALL_NOT_PENDING'],
  ['canceled', (id) => cancelCall(db, id), ['PENDING', 'IN_PROGRESS'], 'CALL_ALREADY_ENDED'],
  ['retried', (id) => retryCall(db, id, policy), ['FAILED', 'EXPIRED', 'CANCELED'], 'CALL_NOT_RETRYABLE'],
];

describe.each(verbs)('a call can be %s', (_, change, from, code) => {
  test.each(callStatuses)('when it is %s, or is told why not and stays as it is', async (status) => {
    const before = await callIn(db, status);
    const allowed = from.includes(status);
    expect(await refusal(change(before.id))).toBe(allowed ? undefined : code);
    const after = await findCall(db, before.id);
    if (!allowed) expect(after).toEqual(before);
    expect(after?.event_sequence).toBe(allowed ? 2 : 1);
  });

  test('only if there is one', async () => {
    expect(await refusal(change(randomUUID()))).toBe('CALL_NOT_FOUND');
  });
});

describe('an edit', () => {
  test('changes what it names and nothing else, and is told in the timeline', async () => {
    const before = await acceptedCall(db, { metadata: { a: 1 } });
    const after = await editCall(db, before.id, { metadata: { b: ['ü'] } });
    expect(after).toMatchObject({
      metadata: { b: ['ü'] },
      to_number: before.to_number,
      script_id: before.script_id,
      expires_at: before.expires_at,
      queue_seq: before.queue_seq,
      round: 1,
    });
    expect(await lastEvent(before.id)).toMatchObject({
      type: 'call.updated',
      reason: 'edited',
      sequence: 2,
      call: { payload: { metadata: { b: ['ü'] } } },
    });
  });

  test.each<[Handoff | null, Handoff]>([
    ['START', 'START'],
    ['EDITED', 'EDITED'],
    [null, 'EDITED'],
  ])('of a call whose workflow must still be told %s leaves the order %s', async (before, after) => {
    const call = await acceptedCall(db);
    await db.updateTable('calls').set({ handoff: before }).where('id', '=', call.id).execute();
    const edited = await editCall(db, call.id, { scriptId: 'other' });
    expect(edited.handoff).toBe(after);
    expect(edited.handoff_at).not.toBeNull();
  });

  test('to a number that has a call is refused, and names that call', async () => {
    const [one, other] = [await acceptedCall(db), await callIn(db, 'IN_PROGRESS')];
    await expect(editCall(db, one.id, { to: other.to_number })).rejects.toMatchObject({
      code: 'NUMBER_BUSY',
      activeCallId: other.id,
    });
    expect(await findCall(db, one.id)).toMatchObject({ to_number: one.to_number, event_sequence: 1 });
  });

  test('to its own number, or one whose call has ended, is made', async () => {
    const [one, ended] = [await acceptedCall(db), await callIn(db, 'COMPLETED')];
    expect(await refusal(editCall(db, one.id, { to: one.to_number }))).toBeUndefined();
    expect(await editCall(db, one.id, { to: ended.to_number })).toMatchObject({ to_number: ended.to_number });
  });

  test('of two calls that take each other’s number at once refuses at least one, and fails neither', async () => {
    const exchange = async () => {
      const [one, other] = [await acceptedCall(db), await acceptedCall(db)];
      const codes = await Promise.all([
        refusal(editCall(db, one.id, { to: other.to_number })),
        refusal(editCall(db, other.id, { to: one.to_number })),
      ]);
      expect(codes).toContain('NUMBER_BUSY');
      for (const code of codes) expect([undefined, 'NUMBER_BUSY']).toContain(code);
    };
    // Many, so that some of them meet: each then waits for the other, and PostgreSQL ends one after a second.
    for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 20 }, exchange));
  });

  test('of many at once to one number makes one', async () => {
    const to = freshNumber();
    const calls = await Promise.all(Array.from({ length: 10 }, () => acceptedCall(db)));
    const codes = await Promise.all(calls.map(({ id }) => refusal(editCall(db, id, { to }))));
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(new Set(codes)).toEqual(new Set([undefined, 'NUMBER_BUSY']));
  });
});

describe('a cancel', () => {
  test('is final at once, frees the number, and orders the workflow to be canceled', async () => {
    const call = await acceptedCall(db);
    await db.updateTable('calls').set({ next_attempt_at: new Date() }).where('id', '=', call.id).execute();
    const canceled = await cancelCall(db, call.id);
    expect(canceled).toMatchObject({ status: 'CANCELED', handoff: 'CANCEL', next_attempt_at: null });
    expect(canceled.ended_at).not.toBeNull();
    expect(await lastEvent(call.id)).toMatchObject({ type: 'call.canceled', call: { status: 'CANCELED' } });
    await acceptedCall(db, { to: call.to_number });
  });

  test('asked for ten times at once is made once', async () => {
    const call = await callIn(db, 'IN_PROGRESS');
    const codes = await Promise.all(Array.from({ length: 10 }, () => refusal(cancelCall(db, call.id))));
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(await listEvents(db, call.id)).toHaveLength(2);
  });
});

describe('a retry', () => {
  test('begins anew: fresh attempts, the end of the queue, a round of its own, and the order to start', async () => {
    const call = await callIn(db, 'FAILED');
    await db
      .updateTable('calls')
      .set({ attempts: 3, last_error: 'BUSY', external_call_id: 'x', started_at: new Date(), ended_at: new Date() })
      .where('id', '=', call.id)
      .execute();
    await told(call.id);
    const later = await acceptedCall(db);
    const retried = await retryCall(db, call.id, policy);
    expect(retried).toMatchObject({
      status: 'PENDING',
      round: 2,
      attempts: 0,
      max_attempts: 5,
      last_error: null,
      external_call_id: null,
      started_at: null,
      ended_at: null,
      handoff: 'START',
      seq: call.seq,
      expires_at: call.expires_at,
    });
    expect(retried.queue_seq).toBeGreaterThan(later.queue_seq);
    expect(await lastEvent(call.id)).toMatchObject({ type: 'call.updated', reason: 'retried' });
  });

  test('keeps the priority: behind those of its own that wait, before those of a later one', async () => {
    const call = await callIn(db, 'FAILED', { priority: 4 });
    const [same, later] = [await acceptedCall(db, { priority: 4 }), await acceptedCall(db, { priority: 5 })];
    const { priority, queue_seq } = await retryCall(db, call.id, policy);
    expect(priority).toBe(4);
    expect(queue_seq).toBeGreaterThan(same.queue_seq);
    expect(queue_seq).toBeLessThan(later.queue_seq);
  });

  test('of a call whose time has passed gets a new time', async () => {
    const call = await callIn(db, 'EXPIRED', { expiresAt: new Date(Date.now() - 1_000) });
    const retried = await retryCall(db, call.id, policy);
    const inSeconds = (retried.expires_at.getTime() - Date.now()) / 1_000;
    expect(inSeconds).toBeGreaterThan(590);
    expect(inSeconds).toBeLessThanOrEqual(601);
  });

  test('is refused while another call has the number, and names that call', async () => {
    const call = await callIn(db, 'FAILED');
    const active = await acceptedCall(db, { to: call.to_number });
    await expect(retryCall(db, call.id, policy)).rejects.toMatchObject({
      code: 'NUMBER_BUSY',
      activeCallId: active.id,
    });
    expect(await findCall(db, call.id)).toMatchObject({ status: 'FAILED', round: 1 });
  });

  test('asked for ten times at once is made once: one round', async () => {
    const call = await callIn(db, 'CANCELED');
    const codes = await Promise.all(Array.from({ length: 10 }, () => refusal(retryCall(db, call.id, policy))));
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(await findCall(db, call.id)).toMatchObject({ round: 2, event_sequence: 2 });
  });
});
