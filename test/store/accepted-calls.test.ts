import { randomUUID } from 'node:crypto';

import { sql } from 'kysely';

import type { Metadata } from '../../src/call/call';
import { insertCalls, readAcceptedCalls } from '../../src/store/accepted-calls';
import { anyOf } from '../../src/store/any-of';
import { listEvents } from '../../src/store/call-events';
import { updateCall } from '../../src/store/calls';
import type { Database } from '../../src/store/database';
import { callOf } from '../../src/store/rows';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { acceptedCall, freshNumber, newCall } from './records';

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());

const insertedOf = async (calls: ReturnType<typeof newCall>[]) =>
  (await Promise.all(calls.map((call) => insertCalls(db, [call])))).flat();

const storedOf = (inserted: Awaited<ReturnType<typeof insertCalls>>) =>
  db
    .selectFrom('calls')
    .selectAll()
    .where('id', '=', anyOf(inserted.map(({ row }) => row.id)))
    .execute();

test('of 30 calls to one number at once one is taken', async () => {
  for (let round = 0; round < 5; round++) {
    const to = freshNumber();
    expect(await insertedOf(Array.from({ length: 30 }, () => newCall({ to })))).toHaveLength(1);
  }
});

test('of 30 calls with one key at once one is taken, though each has a number of its own', async () => {
  const requestKey = `http:${randomUUID()}`;
  expect(await insertedOf(Array.from({ length: 30 }, () => newCall({ requestKey })))).toHaveLength(1);
});

test('of 30 calls from one message at once one is taken', async () => {
  const source = `calls.requests/0/${randomUUID()}`;
  expect(await insertedOf(Array.from({ length: 30 }, () => newCall({ source })))).toHaveLength(1);
});

test('of one number, key or message within a batch the first is taken; the batch keeps its order', async () => {
  const [to, requestKey, source] = [freshNumber(), 'http:in-batch', 'calls.requests/1/1'];
  const batch = [
    newCall({ to }),
    newCall({ to }),
    newCall({ requestKey }),
    newCall({ requestKey }),
    newCall({ source }),
    newCall({ source }),
    newCall(),
  ];
  const inserted = await storedOf(await insertCalls(db, batch));
  const bySeq = inserted.sort((a, b) => a.seq - b.seq).map(({ id }) => id);
  expect(bySeq).toEqual([0, 2, 4, 6].map((index) => batch[index]?.id));
  for (const { queue_seq, seq } of inserted) expect(queue_seq).toBe(seq);
});

test('the places of a batch go by priority, and within one by the order in which it came', async () => {
  const batch = [5, 3, 1, 3, 5, 1].map((priority) => newCall({ priority }));
  const inserted = await storedOf(await insertCalls(db, batch));
  const byPlace = inserted.sort((a, b) => a.queue_seq - b.queue_seq).map(({ id }) => id);
  expect(byPlace).toEqual([2, 5, 1, 3, 0, 4].map((index) => batch[index]?.id));
});

test.each(['COMPLETED', 'FAILED', 'EXPIRED', 'CANCELED'] as const)(
  'a number whose call is %s is free again; its key and message stay taken',
  async (status) => {
    const first = await acceptedCall(db, { requestKey: `http:${status}`, source: `calls.requests/2/${status}` });
    expect(await insertCalls(db, [newCall({ to: first.to_number })])).toEqual([]);
    await db.updateTable('calls').set({ status }).where('id', '=', first.id).execute();
    expect(await insertCalls(db, [newCall({ requestKey: first.request_key })])).toEqual([]);
    expect(await insertCalls(db, [newCall({ source: first.source })])).toEqual([]);
    expect(await insertCalls(db, [newCall({ to: first.to_number })])).toHaveLength(1);
  },
);

test('what is told of a new call is what is stored of it', async () => {
  const calls = [
    newCall(),
    newCall({
      metadata: { order: '12', a: [1, { deep: null }] },
      priority: 1,
      expiresAt: new Date('2100-01-01T00:00:00.123Z'),
      maxAttempts: 5,
      requestKey: 'http:told',
      requestHash: 'hash',
      source: 'calls.requests/3/1',
      webhookUrl: 'https://example.org/hook',
    }),
  ];
  for (const { row, call } of await insertCalls(db, calls, 90)) {
    const [stored] = await storedOf([{ row, call }]);
    if (stored === undefined) throw new Error('not stored');
    expect(stored).toMatchObject(row);
    expect(JSON.stringify(call)).toBe(JSON.stringify(callOf(stored)));
  }
});

test('an accepted call is there with its event, which shows it as its answer did, and the order to start it', async () => {
  const metadata: Metadata = { 'naïve "key"': ["it's", '\u2028', 1.5, null, { deep: [] }] };
  const expiresAt = new Date('2100-01-01T00:00:00.123Z');
  const [accepted] = await insertCalls(db, [newCall({ metadata, expiresAt })]);
  if (!accepted) throw new Error('not inserted');
  const { call, row } = accepted;
  expect(call).toMatchObject({
    status: 'PENDING',
    attempts: 0,
    payload: { metadata },
    expiresAt: expiresAt.toISOString(),
  });
  expect(row).toMatchObject({ handoff: 'START', round: 1, event_sequence: 1 });
  const [event] = await listEvents(db, call.id);
  expect(event).toMatchObject({ type: 'call.accepted', sequence: 1, callId: call.id, call });
  expect((event as { call: unknown }).call).toEqual(call);
});

test('what was told of a call before there were priorities shows the usual one', async () => {
  const row = await acceptedCall(db);
  await sql`update call_events set body = (body::jsonb #- '{call,priority}')::json where call_id = ${row.id}`.execute(
    db,
  );
  expect((await readAcceptedCalls(db, [row.id])).get(row.id)).toEqual(callOf(row));
  expect(await listEvents(db, row.id)).toMatchObject([{ call: callOf(row) }]);
});

test('the answer that a request got can be read again however the call went on', async () => {
  const row = await acceptedCall(db);
  const answered = (await readAcceptedCalls(db, [row.id])).get(row.id);
  await db
    .transaction()
    .execute((trx) =>
      updateCall(trx, row.id, { from: ['PENDING'], to: 'CANCELED', set: {}, events: [{ type: 'call.canceled' }] }),
    );
  expect((await readAcceptedCalls(db, [row.id])).get(row.id)).toEqual(answered);
  expect(answered).toMatchObject({ status: 'PENDING' });
});
