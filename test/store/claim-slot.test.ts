import { randomUUID } from 'node:crypto';

import { sql } from 'kysely';

import { insertCalls } from '../../src/store/accepted-calls';
import { countSlots, endAttempt, listAttempts, listSlotHolders, listSlotWaiters } from '../../src/store/attempts';
import { listEvents } from '../../src/store/call-events';
import { findCall } from '../../src/store/calls';
import type { Database } from '../../src/store/database';
import { claimSlot, recordOnTheLine } from '../../src/store/dials';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { waitUntil } from '../support/wait-until';
import { acceptedCall, callOnSlot, claim, newCall, waitingAttempt } from './records';

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());
beforeEach(() => db.deleteFrom('calls').execute());

const end = (attemptId: string) =>
  db
    .transaction()
    .execute((trx) => endAttempt(trx, attemptId, { outcome: 'FAILED', failureReason: null, durationSec: null }));

test('two attempts that claim one slot at once: one begins, the other is told that it is taken', async () => {
  for (let round = 1; round <= 25; round++) {
    const calls = [await acceptedCall(db), await acceptedCall(db)];
    const attempts = await Promise.all(calls.map((call) => waitingAttempt(db, call)));
    const claims = await Promise.all(calls.map((call, i) => claim(db, call, attempts[i] ?? '', round)));
    expect(claims.map(({ kind }) => kind).sort()).toEqual(['CLAIMED', 'SLOT_TAKEN']);

    const loser = claims.findIndex(({ kind }) => kind === 'SLOT_TAKEN');
    expect(await findCall(db, calls[loser]?.id ?? '')).toMatchObject({
      status: 'PENDING',
      attempts: 0,
      event_sequence: 1,
    });
  }
  expect(await countSlots(db)).toEqual({ held: 25, waiting: 25 });
});

test('two calls to one number, the first still on the line though canceled: the second does not begin', async () => {
  for (let round = 1; round <= 25; round++) {
    const first = await acceptedCall(db);
    const firstAttempt = await waitingAttempt(db, first);
    await claim(db, first, firstAttempt, 1);
    await db.updateTable('calls').set({ status: 'CANCELED' }).where('id', '=', first.id).execute();
    const second = await acceptedCall(db, { to: first.to_number });
    const secondAttempt = await waitingAttempt(db, second);
    // As its line is hung up at the same moment, either answer is right, but for two on one number.
    const [{ kind }] = await Promise.all([claim(db, second, secondAttempt, 2), round % 2 === 0 && end(firstAttempt)]);
    if (round % 2 === 1) expect(kind).toBe('NUMBER_BUSY');
    await end(firstAttempt);
    expect((await claim(db, second, secondAttempt, 2)).kind).toBe('CLAIMED');
    await end(secondAttempt);
  }
});

test('ten who claim for the same attempt at once make one claim of it, with one event', async () => {
  const call = await acceptedCall(db);
  const attemptId = await waitingAttempt(db, call);
  const claims = await Promise.all(Array.from({ length: 10 }, () => claim(db, call, attemptId, 4)));
  for (const claimed of claims) expect(claimed).toMatchObject({ kind: 'CLAIMED', slot: 4, number: 1 });
  expect(claims.filter((claimed) => claimed.kind === 'CLAIMED' && claimed.begun)).toHaveLength(1);
  expect(await findCall(db, call.id)).toMatchObject({ status: 'IN_PROGRESS', attempts: 1 });
  expect((await listEvents(db, call.id)).map(({ type }) => type)).toEqual(['call.accepted', 'attempt.started']);
});

test('ten who claim ten slots for the same attempt at once get one slot, the same', async () => {
  for (let round = 0; round < 5; round++) {
    const call = await acceptedCall(db);
    const attemptId = await waitingAttempt(db, call);
    const claims = await Promise.all(
      Array.from({ length: 10 }, (_, i) => claim(db, call, attemptId, round * 10 + i + 1)),
    );
    const [held] = (await listSlotHolders(db)).filter((holder) => holder.attemptId === attemptId);
    expect(new Set(claims.map((claimed) => 'slot' in claimed && claimed.slot))).toEqual(new Set([held?.slot]));
  }
});

test('an attempt that has a slot keeps it, whatever other slot it claims', async () => {
  const { call, attemptId } = await callOnSlot(db, 4);
  expect(await claim(db, call, attemptId, 5)).toEqual({ kind: 'CLAIMED', slot: 4, number: 1 });
  expect(await listSlotHolders(db)).toEqual([{ slot: 4, attemptId, callId: call.id }]);
});

test('a slot is free for another as soon as its attempt has ended', async () => {
  const { attemptId } = await callOnSlot(db, 1);
  const next = await acceptedCall(db);
  const nextAttempt = await waitingAttempt(db, next);
  expect((await claim(db, next, nextAttempt, 1)).kind).toBe('SLOT_TAKEN');
  await end(attemptId);
  expect((await claim(db, next, nextAttempt, 1)).kind).toBe('CLAIMED');
});

test.each(['CANCELED', 'EXPIRED', 'FAILED', 'COMPLETED'] as const)(
  'an attempt of a call that is %s does not begin',
  async (status) => {
    const call = await acceptedCall(db);
    const attemptId = await waitingAttempt(db, call);
    await db.updateTable('calls').set({ status }).where('id', '=', call.id).execute();
    expect(await claim(db, call, attemptId, 1)).toEqual({ kind: 'OVER', status });
    expect(await listAttempts(db, call.id)).toEqual([]);
  },
);

test('an attempt of an earlier round, of no call, or taken off the queue does not begin', async () => {
  const call = await acceptedCall(db);
  const attemptId = await waitingAttempt(db, call);
  await db.updateTable('calls').set({ round: 2 }).where('id', '=', call.id).execute();
  expect(await claim(db, call, attemptId, 1)).toEqual({ kind: 'OVER', status: 'SUPERSEDED' });
  expect(await claimSlot(db, { callId: randomUUID(), round: 1, attemptId, slot: 1 })).toEqual({
    kind: 'OVER',
    status: 'SUPERSEDED',
  });
  await end(attemptId);
  expect((await claim(db, { ...call, round: 2 }, attemptId, 1)).kind).toBe('OVER');
  expect(await countSlots(db)).toEqual({ held: 0, waiting: 0 });
});

test('a second attempt counts on, keeps the time of the first, and forgets its id at the provider', async () => {
  const { call, attemptId } = await callOnSlot(db, 1);
  await recordOnTheLine(db, { callId: call.id, attemptId }, 'first-at-provider');
  const first = await findCall(db, call.id);
  await end(attemptId);
  await db.updateTable('calls').set({ status: 'PENDING' }).where('id', '=', call.id).execute();
  const second = await waitingAttempt(db, call);
  const { to_number: to, script_id: scriptId, metadata } = call;
  const line = { callStatus: 'IN_PROGRESS', externalCallId: null, inDoubt: true, ended: false, elapsedSeconds: 0 };
  expect(await claim(db, call, second, 2)).toEqual({
    kind: 'CLAIMED',
    slot: 2,
    number: 2,
    begun: { payload: { to, scriptId, metadata }, number: 2, slot: 2, ...line },
  });
  expect(await findCall(db, call.id)).toMatchObject({
    attempts: 2,
    external_call_id: null,
    started_at: first?.started_at,
  });
});

test('an attempt ends once: the first outcome stays', async () => {
  const { attemptId } = await callOnSlot(db, 1);
  const ends = await Promise.all(Array.from({ length: 5 }, () => end(attemptId)));
  expect(ends.filter((row) => row !== undefined)).toHaveLength(1);
});

test('the record lists holders by slot and waiters by place', async () => {
  const holders = [await callOnSlot(db, 7), await callOnSlot(db, 2)];
  const [a, b, c] = [await acceptedCall(db), await acceptedCall(db), await acceptedCall(db)];
  for (const call of [c, a, b]) await waitingAttempt(db, call);
  expect((await listSlotHolders(db)).map(({ slot, callId }) => [slot, callId])).toEqual([
    [2, holders[1]?.call.id],
    [7, holders[0]?.call.id],
  ]);
  expect((await listSlotWaiters(db)).map(({ callId }) => callId)).toEqual([a.id, b.id, c.id]);
});

test('however many calls wait, an attempt and its call are found by their ids, also by a plan made when they were few', async () => {
  const fresh = await createTestDatabase();
  const readByOthers = async (): Promise<number> => {
    const { rows } = await sql<{ read: number }>`
      select sum(idx_tup_read)::integer as read from pg_stat_user_indexes
       where indexrelname in ('calls_status', 'attempts_waiting')`.execute(fresh.db);
    return rows[0]?.read ?? 0;
  };
  const beginAndEnd = async (): Promise<void> => {
    const { attemptId } = await callOnSlot(fresh.db, 1);
    await fresh.db
      .transaction()
      .execute((trx) => endAttempt(trx, attemptId, { outcome: 'FAILED', failureReason: null, durationSec: null }));
  };
  try {
    for (let i = 0; i < 40; i++) await beginAndEnd();
    const waiting = Array.from({ length: 3_000 }, () => newCall());
    await insertCalls(fresh.db, waiting);
    await sql`
      insert into attempts (id, call_id, round, queue_seq, run_id, run_number)
      select gen_random_uuid(), id, round, queue_seq, 'waits', 1 from calls where status = 'PENDING'`.execute(fresh.db);
    const before = await readByOthers();
    for (let i = 0; i < 40; i++) await beginAndEnd();
    // Each session tells of what it read once a second at most.
    await waitUntil('the statistics are told', async () => {
      await sql`select pg_stat_force_next_flush()`.execute(fresh.db);
      const { rows } = await sql<{ read: number }>`
        select idx_scan::integer as read from pg_stat_user_indexes where indexrelname = 'calls_pkey'`.execute(fresh.db);
      return (rows[0]?.read ?? 0) >= 80;
    });
    expect((await readByOthers()) - before).toBeLessThan(3_000);
  } finally {
    await fresh.drop();
  }
});
