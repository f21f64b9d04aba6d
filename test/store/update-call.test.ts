import { sql } from 'kysely';

import { callStatuses } from '../../src/call/call';
import { finalEventTypes } from '../../src/call/event';
import { isFinal, mayMove } from '../../src/call/transitions';
import { listAttempts } from '../../src/store/attempts';
import { listEvents, type NewEvent } from '../../src/store/call-events';
import { findCall, updateCall, type CallUpdate } from '../../src/store/calls';
import type { CallRow, Database } from '../../src/store/database';
import { attemptInJson, callOf } from '../../src/store/rows';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { acceptedCall, callIn, callOnSlot } from './records';

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());

const update = (id: string, change: CallUpdate): Promise<CallRow | undefined> =>
  db.transaction().execute((trx) => updateCall(trx, id, change));

const pairs = callStatuses.flatMap((from) => callStatuses.map((to) => [from, to] as const));

test.each(pairs)('a call that is %s may be made %s only where that is a legal move', async (from, to) => {
  const call = await callIn(db, from);
  const moved = await update(call.id, {
    from: callStatuses.filter((status) => mayMove(status, to)),
    to,
    set: {},
    events: [isFinal(to) ? { type: finalEventTypes[to] } : { type: 'call.updated' }],
  });
  expect(moved?.status).toBe(mayMove(from, to) ? to : undefined);
  const after = await findCall(db, call.id);
  expect(after?.status).toBe(mayMove(from, to) ? to : from);
  expect(await listEvents(db, call.id)).toHaveLength(mayMove(from, to) ? 2 : 1);
  expect(after?.event_sequence).toBe(mayMove(from, to) ? 2 : 1);
});

test.each(pairs.filter(([from, to]) => !mayMove(from, to)))(
  'to ask for a move from %s to %s is a defect',
  async (from, to) => {
    const call = await callIn(db, from);
    const legal = callStatuses.filter((status) => mayMove(status, to));
    await expect(update(call.id, { from: [...legal, from], to, set: {}, events: [] })).rejects.toThrow(to);
    expect(await findCall(db, call.id)).toMatchObject({ status: from, event_sequence: 1 });
  },
);

test('a run of an earlier round changes nothing', async () => {
  const call = await acceptedCall(db);
  await db.updateTable('calls').set({ round: 2 }).where('id', '=', call.id).execute();
  const change = { from: ['PENDING'], to: 'CANCELED', set: {}, events: [{ type: 'call.canceled' }] } as const;
  expect(await update(call.id, { ...change, round: 1 })).toBeUndefined();
  expect(await update(call.id, { ...change, round: 2 })).toMatchObject({ status: 'CANCELED' });
});

test('a condition that does not hold keeps the change from being made', async () => {
  const call = await acceptedCall(db);
  const change = { from: ['PENDING'], to: 'EXPIRED', set: {}, events: [{ type: 'call.expired' }] } as const;
  const overdue: CallUpdate['when'] = (eb) => eb('expires_at', '<=', new Date());
  expect(await update(call.id, { ...change, when: overdue })).toBeUndefined();
  expect(await findCall(db, call.id)).toMatchObject({ status: 'PENDING', event_sequence: 1 });
});

test('of many who end a call at once one does, and its event is told once', async () => {
  const call = await callIn(db, 'IN_PROGRESS');
  const ends = (['COMPLETED', 'FAILED', 'EXPIRED', 'CANCELED'] as const).flatMap((status) => [status, status, status]);
  const moved = await Promise.all(
    ends.map((status) =>
      update(call.id, {
        from: ['IN_PROGRESS'],
        to: status,
        set: {},
        events: [{ type: finalEventTypes[status] }],
      }),
    ),
  );
  const winners = moved.filter((row) => row !== undefined);
  expect(winners).toHaveLength(1);
  const events = await listEvents(db, call.id);
  expect(events.map(({ sequence }) => sequence)).toEqual([1, 2]);
  expect(events[1]).toMatchObject({ type: finalEventTypes[winners[0]?.status as 'FAILED'] });
});

test('updates at once leave a sequence of events without gap or repeat, each with the call as it was then', async () => {
  const call = await acceptedCall(db);
  const updates = 40;
  await Promise.all(
    Array.from({ length: updates }, (_, i) =>
      update(call.id, {
        from: ['PENDING'],
        set: { script_id: `script-${i}` },
        // One in three tells of two things at once, and one of them of none.
        events: Array.from({ length: i % 3 }, () => ({ type: 'call.updated', reason: `script-${i}` })),
      }),
    ),
  );
  const told = Array.from({ length: updates }, (_, i) => i % 3).reduce((sum, count) => sum + count, 0);
  const events = await listEvents(db, call.id);
  expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: told + 1 }, (_, i) => i + 1));
  expect(await findCall(db, call.id)).toMatchObject({ event_sequence: told + 1 });
  for (const event of events.slice(1)) {
    expect(event).toMatchObject({ call: { payload: { scriptId: 'reason' in event ? event.reason : '' } } });
  }
});

test('a transaction that is rolled back leaves neither the change nor its event', async () => {
  const call = await acceptedCall(db);
  await expect(
    db.transaction().execute(async (trx) => {
      await updateCall(trx, call.id, {
        from: ['PENDING'],
        to: 'CANCELED',
        set: {},
        events: [{ type: 'call.canceled' }],
      });
      throw new Error('the process died');
    }),
  ).rejects.toThrow('the process died');
  const after = await findCall(db, call.id);
  expect(after && callOf(after)).toEqual(callOf(call));
  expect(await listEvents(db, call.id)).toHaveLength(1);
});

test('an event tells of the call and of its attempt just what the API shows of them', async () => {
  const reason = 'said "no"\n, and \\ hung up 👋';
  const { call, attemptId } = await callOnSlot(db, 1);
  const at = sql<Date>`now() + interval '1234567 microseconds'`;
  await sql`
    update calls set metadata = ${JSON.stringify({ said: reason, list: [1, null, { deep: true }] })},
                     last_error = ${reason}, external_call_id = ${reason}, webhook_url = 'https://example.org/?a="b"',
                     ended_at = ${at}, next_attempt_at = ${at}, forgotten_at = ${at}
     where id = ${call.id}`.execute(db);
  await sql`
    update attempts set external_call_id = ${reason}, outcome = 'FAILED', failure_reason = ${reason},
                        duration_sec = 12, ended_at = ${at}
     where id = ${attemptId}`.execute(db);
  const [attempt] = await listAttempts(db, call.id);
  const events: NewEvent[] = [
    { type: 'attempt.ended', ...(attempt && { attempt }) },
    {
      type: 'attempt.ended',
      attempt: sql`(select ${attemptInJson('attempts')} from attempts where id = ${attemptId})`,
    },
    { type: 'call.updated', reason },
  ];
  const changed = await update(call.id, { from: ['IN_PROGRESS'], set: {}, events });
  const told = (await listEvents(db, call.id)).slice(-events.length);
  for (const event of told) expect(event).toMatchObject({ call: changed && callOf(changed) });
  expect(told).toMatchObject([{ attempt }, { attempt }, { reason }]);
  // Nor is there more than that, nor in another order than others have come to read it in.
  const { rows } = await sql<{ body: string }>`
    select body::text from call_events where call_id = ${call.id} order by sequence desc limit 1`.execute(db);
  expect(JSON.stringify(JSON.parse(rows[0]?.body ?? ''))).toBe(
    JSON.stringify({ call: changed && callOf(changed), reason }),
  );
});
