import { createLog } from '../../src/log';
import { Semaphore } from '../../src/slots/semaphore';
import { pauseDialling, resumeDialling } from '../../src/store/control';
import { createTestDatabase } from '../support/database';
import { SlotsUnderTest, grantOf, type Attempt } from './slots-under-test';

let slots: SlotsUnderTest;

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
});
afterAll(() => slots.close());
beforeEach(() => slots.empty());
afterEach(() => slots.expectSound());

/** Of three slots one is in use; Redis has heard of the pause, under which three came. */
async function paused(): Promise<{ semaphore: Semaphore; onTheLine: Attempt; waiters: [Attempt, Attempt, Attempt] }> {
  const semaphore = await slots.ready(3);
  const onTheLine = await slots.one();
  await slots.putOnLine(semaphore, onTheLine);
  await pauseDialling(slots.db, null);
  expect(await semaphore.adoptSwitch()).toEqual({ value: 1, grants: [] });
  const waiters = (await slots.waiting(3)) as [Attempt, Attempt, Attempt];
  for (const waiter of [...waiters].reverse()) expect(await slots.acquire(semaphore, waiter)).toBe(0);
  return { semaphore, onTheLine, waiters };
}

test('while it is paused nobody is given a slot, not even one that is given back', async () => {
  const { semaphore, onTheLine, waiters } = await paused();
  expect(await semaphore.confirm(onTheLine, 1)).toEqual({ value: 1, grants: [] });
  expect(await semaphore.adoptLimit()).toEqual({ value: 3, grants: [] });
  expect(await semaphore.release(onTheLine)).toEqual({ value: 1, grants: [] });
  expect(await slots.state()).toMatchObject({ free: [1, 2, 3], queue: waiters.map(({ attemptId }) => attemptId) });
});

test('resumed, the slots that are free go to those who waited, in their order, once', async () => {
  const { semaphore, waiters } = await paused();
  const [first, second] = waiters;
  await resumeDialling(slots.db);
  expect(await semaphore.adoptSwitch()).toEqual({ value: 0, grants: [grantOf(first, 2), grantOf(second, 3)] });
  expect(await slots.semaphore(3).adoptSwitch()).toEqual({ value: 0, grants: [] });
});

test('a turn that reaches Redis after a later one changes nothing', async () => {
  const { semaphore, waiters } = await paused();
  await resumeDialling(slots.db);
  await semaphore.adoptSwitch();
  const before = await slots.state();
  // One who read the record when it was paused, and was held up on the way.
  const earlier = await createTestDatabase();
  try {
    await pauseDialling(earlier.db, null);
    const late = new Semaphore(slots.redis, earlier.db, 3, createLog('test', 'silent'));
    expect(await late.adoptSwitch()).toEqual({ value: 0, grants: [] });
  } finally {
    await earlier.drop();
  }
  expect(await slots.state()).toEqual(before);
  expect(await semaphore.release(waiters[0])).toMatchObject({ grants: [grantOf(waiters[2], 2)] });
});

test.each([
  ['all its data', () => slots.redis.flushdb()],
  ['the switch alone', () => slots.redis.del('{slots}:switch')],
])('a Redis that has lost %s is paused again by the record, with everybody at their places', async (_, lose) => {
  const { waiters } = await paused();
  const before = await slots.state();
  await lose();
  const newcomer = await slots.one();
  expect(await slots.semaphore(3).acquire(newcomer, newcomer.queueSeq)).toEqual({ value: 0, grants: [] });
  const places = [...waiters, newcomer].map(({ attemptId }) => attemptId);
  expect(await slots.state()).toEqual({ ...before, queue: places });
});

test('a grant that meets the pause at its claim waits at its old place again', async () => {
  const semaphore = await slots.ready(1);
  const [first, second] = (await slots.waiting(2)) as [Attempt, Attempt];
  for (const attempt of [first, second]) await slots.acquire(semaphore, attempt);
  await pauseDialling(slots.db, null);
  expect(await slots.tryClaim(first, 1)).toBe('PAUSED');
  await semaphore.adoptSwitch();
  expect(await semaphore.release(first)).toEqual({ value: 1, grants: [] });
  expect(await slots.acquire(semaphore, first)).toBe(0);
  expect((await slots.state()).queue).toEqual([first.attemptId, second.attemptId]);
});
