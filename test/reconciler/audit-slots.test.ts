import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { sql } from 'kysely';

import type { ActivityDeps } from '../../src/activities';
import { dial } from '../../src/activities/dial';
import type { SlotGranted } from '../../src/call/workflow-messages';
import { createLog } from '../../src/log';
import { auditSlots } from '../../src/reconciler/audit-slots';
import type { Semaphore } from '../../src/slots/semaphore';
import { SlotsUnderTest, type Attempt } from '../slots/slots-under-test';
import { acceptedCall, callOnSlot, waitingAttempt } from '../store/records';

let slots: SlotsUnderTest;
let semaphore: Semaphore;
const told: SlotGranted[] = [];

/** Takes every signal, as running workflows would; Temporal has no other part in this duty. */
const temporal = {
  workflow: {
    getHandle: (id: string) => ({
      signal: (_: string, granted: SlotGranted) => {
        if (!id.startsWith('call-')) throw new WorkflowNotFoundError('not found', id, undefined);
        told.push(granted);
        return Promise.resolve();
      },
    }),
  },
} as unknown as Client;

const log = createLog('test', 'silent');
const audit = (over: Partial<Semaphore> = {}) =>
  auditSlots({ db: slots.db, temporal, semaphore: Object.assign(Object.create(semaphore) as Semaphore, over), log });

const aMinutePasses = (since: 'queued_at' | 'started_at' | 'ended_at' = 'queued_at') =>
  sql`update attempts set ${sql.ref(since)} = ${sql.ref(since)} - interval '1 minute'`.execute(slots.db);

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
});
afterAll(() => slots.close());
beforeEach(async () => {
  await slots.empty();
  told.length = 0;
  semaphore = await slots.ready(1);
});

test('a slot confirmed for an attempt that had ended by then goes to the one that waits', async () => {
  const [late, next] = await slots.waiting(2);
  if (!late || !next) throw new Error('two were to wait');
  await semaphore.acquire(late, late.queueSeq);
  await slots.claim(late, 1);
  await slots.end(late);
  await semaphore.release(late);
  // The late half of a claim, or of a correction that read the record before the end.
  await semaphore.confirm(late, 1);
  await semaphore.acquire(next, next.queueSeq);
  expect(told).toEqual([]);

  await aMinutePasses('ended_at');
  expect(await audit()).toBe(1);
  expect(told).toEqual([{ attemptId: next.attemptId, slot: 1 }]);
  expect(await audit()).toBe(0);
  await slots.expectSound();
});

test('an attempt in progress that Redis has lost sight of is noted on its slot again', async () => {
  const [live, next] = await slots.waiting(2);
  if (!live || !next) throw new Error('two were to wait');
  await semaphore.acquire(live, live.queueSeq);
  await slots.claim(live, 1);
  await semaphore.confirm(live, 1);
  await semaphore.release(live);

  await aMinutePasses('started_at');
  expect(await audit()).toBe(1);
  expect((await semaphore.acquire(next, next.queueSeq)).value).toBe(0);
  expect(await audit()).toBe(0);
  await slots.expectSound();
});

test('what agrees with the record is left alone, a grant on its way as well', async () => {
  const one = await slots.one();
  await semaphore.acquire(one, one.queueSeq);
  await aMinutePasses();
  expect(await audit()).toBe(0);
  expect(await semaphore.holders()).toEqual([{ callId: one.callId, attemptId: one.attemptId, slot: 1 }]);
});

test('a correction that comes after the owner’s end is undone: the slot goes to the one that it put out', async () => {
  const [owner, putOut] = (await slots.waiting(2)) as [Attempt, Attempt];
  // Redis does not know of the claim yet, and gave the slot again.
  await semaphore.acquire(putOut, putOut.queueSeq);
  await slots.claim(owner, 1);
  const late = Object.assign(Object.create(semaphore) as Semaphore, {
    confirm: async (...args: Parameters<Semaphore['confirm']>) => {
      // Between the look at the record and the correction the owner ends.
      await slots.end(owner);
      await semaphore.release(owner);
      return semaphore.confirm(...args);
    },
  });
  const deps = { db: slots.db, temporal, semaphore: late, log } as unknown as ActivityDeps;
  expect(await dial(deps)({ ...putOut, round: 1, slot: 1 })).toEqual({ kind: 'SLOT_LOST' });
  expect(await semaphore.holders()).toMatchObject([{ attemptId: owner.attemptId, slot: 1 }]);

  await aMinutePasses('ended_at');
  expect(await audit()).toBe(1);
  expect(told).toEqual([{ attemptId: putOut.attemptId, slot: 1 }]);
  expect(await audit()).toBe(0);
  await slots.expectSound();
});

test('a grant that Redis has forgotten to be unclaimed is told again', async () => {
  const one = await slots.one();
  await semaphore.acquire(one, one.queueSeq);
  await slots.redis.del('{slots}:unclaimed');
  expect(await audit()).toBe(1);
  expect(told).toEqual([{ attemptId: one.attemptId, slot: 1, late: true }]);
});

describe('those who wait by the record', () => {
  let waiters: Attempt[];
  const queued = async () => (await slots.state()).queue;
  const ids = () => waiters.map(({ attemptId }) => attemptId);
  beforeEach(async () => {
    await slots.putOnLine(semaphore, await slots.one());
    waiters = [await slots.one(1), ...(await slots.waiting(3))];
    for (const waiter of waiters) await slots.acquire(semaphore, waiter);
  });

  test('are left alone where Redis has them too', async () => {
    await aMinutePasses();
    expect(await audit()).toBe(0);
    expect(await queued()).toEqual(ids());
  });

  test('are put back at their places where Redis has lost them', async () => {
    await aMinutePasses();
    await semaphore.release(waiters[0]!);
    await semaphore.release(waiters[2]!);
    expect(await audit()).toBe(2);
    expect(await queued()).toEqual(ids());
    await slots.redis.del('{slots}:queue');
    expect(await audit()).toBe(4);
    expect(await queued()).toEqual(ids());
    expect(told).toEqual([]);
  });

  test('are told of the slot that is free for them', async () => {
    await aMinutePasses();
    await slots.redis.del('{slots}:queue');
    const [live] = await semaphore.holders();
    await slots.end(live!);
    await semaphore.release(live!);
    expect(await audit()).toBe(4);
    expect(told).toEqual([{ attemptId: waiters[0]?.attemptId, slot: 1 }]);
    await slots.expectSound();
  });

  test('are left to their own step where they joined just now', async () => {
    await semaphore.release(waiters[0]!);
    expect(await audit()).toBe(0);
  });

  test('are left to ask again where they wait for their number', async () => {
    const { call } = await callOnSlot(slots.db, 2);
    await slots.db.updateTable('calls').set({ status: 'CANCELED' }).where('id', '=', call.id).execute();
    const second = await acceptedCall(slots.db, { to: call.to_number });
    const attemptId = await waitingAttempt(slots.db, second);
    await aMinutePasses();
    await audit();
    expect(await queued()).toEqual(ids());
    await slots.db.updateTable('attempts').set({ ended_at: new Date() }).where('call_id', '=', call.id).execute();
    await audit();
    expect(await queued()).toEqual([...ids(), attemptId]);
  });

  test('do not come back where they end while they are put back', async () => {
    await aMinutePasses();
    const [ending, ...others] = waiters as [Attempt, ...Attempt[]];
    await semaphore.release(ending);
    const acquire: Semaphore['acquire'] = async (...args) => {
      await slots.end(ending);
      await semaphore.release(ending);
      return semaphore.acquire(...args);
    };
    expect(await audit({ acquire })).toBe(0);
    expect(await queued()).toEqual(others.map(({ attemptId }) => attemptId));
  });
});
