import { randomUUID } from 'node:crypto';

import { SlotsUnderTest, bySlot, grantOf, type Attempt } from './slots-under-test';

let slots: SlotsUnderTest;

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
});
afterAll(() => slots.close());
beforeEach(() => slots.empty());
afterEach(() => slots.expectSound());

/** Three slots, all claimed; the others wait. */
async function threeHeld(waiting: number): Promise<{ held: [Attempt, Attempt, Attempt]; waiters: Attempt[] }> {
  const semaphore = await slots.ready(3);
  const attempts = await slots.waiting(3 + waiting);
  for (const attempt of attempts) await semaphore.acquire(attempt, attempt.queueSeq);
  for (const [index, attempt] of attempts.slice(0, 3).entries()) {
    await slots.claim(attempt, index + 1);
    await semaphore.confirm(attempt, index + 1);
  }
  const [a, b, c, ...waiters] = attempts as [Attempt, Attempt, Attempt, ...Attempt[]];
  return { held: [a, b, c], waiters };
}

test('after a flush the holders have their slots again and the waiters their order; nobody is let in', async () => {
  const { waiters } = await threeHeld(4);
  const { epoch, ...before } = await slots.state();
  await slots.redis.flushdb();

  const newcomer = await slots.one();
  expect(await slots.semaphore(3).acquire(newcomer, newcomer.queueSeq)).toEqual({ value: 0, grants: [] });
  const { epoch: newEpoch, ...after } = await slots.state();
  expect(after).toEqual({ ...before, queue: [...waiters, newcomer].map(({ attemptId }) => attemptId) });
  expect(newEpoch).toBe(epoch);
});

test('holders keep the very slots of the record, gaps and all', async () => {
  const { held } = await threeHeld(0);
  const second = held[1];
  await slots.end(second);
  await slots.redis.flushdb();
  const newcomer = await slots.one();
  expect(await slots.semaphore(3).acquire(newcomer, newcomer.queueSeq)).toEqual({
    value: 2,
    grants: [grantOf(newcomer, 2)],
  });
  expect((await slots.state()).slots.get(held[2].attemptId)).toBe(3);
});

test('grants that were not claimed are lost with Redis and given anew, to whoever waits longest', async () => {
  const semaphore = slots.semaphore(2);
  const [a, b, c] = (await slots.waiting(3)) as [Attempt, Attempt, Attempt];
  for (const attempt of [c, b]) await semaphore.acquire(attempt, attempt.queueSeq);
  await slots.redis.flushdb();
  const { value, grants } = await semaphore.acquire(c, c.queueSeq);
  expect(value).toBe(0);
  expect(grants).toEqual([grantOf(a, 1), grantOf(b, 2)]);
  expect(bySlot(await semaphore.unclaimed(0))).toEqual([grantOf(a, 1), grantOf(b, 2)]);
});

test.each([
  ['a release', (attempt: Attempt) => slots.semaphore(3).release(attempt), []],
  ['a confirm', (attempt: Attempt) => slots.semaphore(3).confirm(attempt, 1), [1]],
  ['a look for unclaimed grants', () => slots.semaphore(3).unclaimed(0), [1]],
  ['a change of the limit', () => slots.semaphore(3).adoptLimit(), [1]],
])('%s that finds Redis empty restores it first', async (_, operation, slotsOfFirst) => {
  const { held } = await threeHeld(0);
  const first = held[0];
  await slots.redis.flushdb();
  await operation(first);
  const after = await slots.state();
  expect(after.epoch).not.toBeNull();
  expect([...after.slots].filter(([attemptId]) => attemptId === first.attemptId).map(([, slot]) => slot)).toEqual(
    slotsOfFirst,
  );
  expect(after.held.get(2)).toBe(held[1].attemptId);
});

test('an attempt that ended before the flush gets nothing back; its slot goes to the next', async () => {
  const { held, waiters } = await threeHeld(1);
  const [first] = held;
  const [next] = waiters as [Attempt];
  await slots.end(first);
  await slots.redis.flushdb();
  // The release that comes after, or again, finds the slot given on already.
  const { value, grants } = await slots.semaphore(3).release(first);
  expect({ value, grants }).toEqual({ value: 0, grants: [grantOf(next, 1)] });
});

test('of several who find Redis empty at once one restores, and no slot is granted twice', async () => {
  const rounds = 10;
  for (let round = 0; round < rounds; round++) {
    await slots.empty();
    const attempts = await slots.waiting(12);
    // Each its own semaphore, as each process has.
    const replies = await Promise.all(attempts.map((attempt) => slots.semaphore(4).acquire(attempt, attempt.queueSeq)));
    const granted = replies.flatMap(({ grants }) => grants);
    expect(new Set(granted.map(({ slot }) => slot)).size).toBe(granted.length);
    const { slots: bySlot } = await slots.state();
    const firstFour = attempts.slice(0, 4).map(({ attemptId }) => attemptId);
    expect([...bySlot.keys()].sort()).toEqual([...firstFour].sort());
    await slots.expectSound();
  }
});

test('a state that stands is not restored: what Redis alone knows stays', async () => {
  const semaphore = await slots.ready(3);
  const { epoch } = await slots.state();
  const unrecorded = { callId: randomUUID(), attemptId: randomUUID() };
  await semaphore.acquire(unrecorded, 1);
  for (const attempt of await slots.waiting(5)) await slots.semaphore(3).acquire(attempt, attempt.queueSeq);
  const after = await slots.state();
  expect(after.epoch).toBe(epoch);
  expect(after.slots.get(unrecorded.attemptId)).toBe(1);
});

test.each(['epoch', 'limit', 'holders', 'owners'] as const)(
  'the state is built anew where the key %s was lost alone',
  async (key) => {
    await threeHeld(2);
    const before = await slots.state();
    await slots.redis.del(`{slots}:${key}`);
    await slots.semaphore(3).unclaimed(0);
    expect(await slots.state()).toEqual(before);
  },
);

test('free slots that were lost alone are found by who asks next', async () => {
  const semaphore = await slots.ready(3);
  await slots.putOnLine(semaphore, await slots.one());
  await slots.redis.del('{slots}:free');
  expect(await slots.acquire(semaphore, await slots.one())).toBe(2);
});

test('a state that another process built is not trusted, however whole', async () => {
  const { waiters } = await threeHeld(3);
  const before = await slots.state();
  await slots.redis.zrem('{slots}:queue', ...waiters.slice(1).map(({ callId, attemptId }) => `${callId}/${attemptId}`));
  await slots.redis.set('{slots}:epoch', '0'.repeat(40));
  await slots.semaphore(3).unclaimed(0);
  expect(await slots.state()).toEqual(before);
});

test('a claim that the restore did not see is put right by its confirm, whoever got the slot meanwhile', async () => {
  const semaphore = slots.semaphore(1);
  const [claimer, waiter] = (await slots.waiting(2)) as [Attempt, Attempt];
  await semaphore.acquire(claimer, claimer.queueSeq);
  // The restore gives slot 1 to the one it sees waiting first; the claim commits right after.
  await slots.redis.flushdb();
  await slots.end(claimer);
  await semaphore.acquire(waiter, waiter.queueSeq);
  await semaphore.confirm(claimer, 1);
  expect((await slots.state()).held).toEqual(new Map([[1, claimer.attemptId]]));
});
