import { priorities } from '../../src/call/call';
import { sql } from 'kysely';

import { placeInQueue } from '../../src/store/queue-place';
import { SlotsUnderTest, grantOf, type Attempt } from './slots-under-test';

let slots: SlotsUnderTest;

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
});
afterAll(() => slots.close());
beforeEach(() => slots.empty());

const idsOf = (attempts: readonly (Attempt | undefined)[]) => attempts.map((attempt) => attempt?.attemptId);

/** One holds the only slot; those who wait asked in this order, which is the order of their age too. */
async function waitingWith(...given: number[]): Promise<{ holder: Attempt; waiters: Attempt[] }> {
  const semaphore = await slots.ready(1);
  const holder = await slots.one();
  await slots.putOnLine(semaphore, holder);
  const waiters: Attempt[] = [];
  for (const priority of given) waiters.push(await slots.one(priority));
  for (const waiter of waiters) await slots.acquire(semaphore, waiter);
  return { holder, waiters };
}

test('those who wait are served by priority, and by age within it', async () => {
  const { holder, waiters } = await waitingWith(3, 5, 1, 3, 1, 4, 2);
  const inTurn = idsOf([2, 4, 6, 0, 3, 5, 1].map((index) => waiters[index]));
  expect((await slots.state()).queue).toEqual(inTurn);

  const served: string[] = [];
  for (let last: Attempt | undefined = holder; last;) {
    await slots.end(last);
    const { grants } = await slots.semaphore(1).release(last);
    last = waiters.find(({ attemptId }) => attemptId === grants[0]?.attemptId);
    if (last) served.push(last.attemptId);
  }
  expect(served).toEqual(inTurn);
});

test('a restore keeps the order of priority and age', async () => {
  const { waiters } = await waitingWith(5, 3, 4, 1, 3, 2);
  const before = await slots.state();
  await slots.redis.flushdb();
  await slots.semaphore(1).unclaimed(0);
  expect(await slots.state()).toEqual(before);
  expect(before.queue).toEqual(idsOf([3, 5, 1, 4, 2, 0].map((index) => waiters[index])));
});

test('one that was put out keeps the head, before a higher priority that came since, when it asks again', async () => {
  const semaphore = await slots.ready(1);
  const [right, putOut] = (await slots.waiting(2, 4)) as [Attempt, Attempt];
  await slots.acquire(semaphore, putOut);
  const urgent = await slots.one(1);
  await slots.acquire(semaphore, urgent);
  await slots.claim(right, 1);
  await semaphore.confirm(right, 1);
  expect(await slots.acquire(semaphore, putOut)).toBe(0);
  expect((await semaphore.release(right)).grants).toEqual([grantOf(putOut, 1)]);
});

test('places are exact, in PostgreSQL, here and in Redis, up to numbers that no service lives to draw', async () => {
  const last = 2 ** 48 - 1;
  const numbers = [1, 2, last - 1, last];
  const expected: number[] = [];
  for (let priority: number = priorities.soonest; priority <= priorities.latest; priority++) {
    for (const number of numbers) {
      const place = placeInQueue(sql<number>`${priority}::smallint`, sql<number>`${number}::bigint`);
      const { rows } = await sql<{
        place: number;
        text: string;
      }>`select ${place} as place, ${place}::text as text`.execute(slots.db);
      const [{ place: read, text }] = rows as [{ place: number; text: string }];
      expect(String(read)).toBe(text);
      await slots.redis.zadd('exact', read, text);
      expect(Number(await slots.redis.zscore('exact', text))).toBe(read);
      expected.push(read);
    }
  }
  expect(new Set(expected).size).toBe(expected.length);
  expect([...expected].sort((a, b) => a - b)).toEqual(expected);
  expect(await slots.redis.zrange('exact', '0', '-1')).toEqual(expected.map(String));
});

test('the usual priority has its bare number for a place, as every call had before', async () => {
  const attempt = await slots.one(priorities.usual);
  const { seq } = await slots.db
    .selectFrom('calls')
    .select('seq')
    .where('id', '=', attempt.callId)
    .executeTakeFirstOrThrow();
  expect(attempt.queueSeq).toBe(seq);
});
