import { SlotsUnderTest, type Attempt } from './slots-under-test';

let slots: SlotsUnderTest;

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
});
afterAll(() => slots.close());
beforeEach(() => slots.empty());

/** The same numbers in every run, so that a failure can be seen again. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** As Temporal does: a step that found Redis emptied in its middle is taken again. */
async function untilItWorks<T>(step: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('Redis lost its data again')) throw error;
    }
  }
}

test('200 attempts that ask, ask again and give back at random, at once: never more than the limit, no slot with two', async () => {
  const limit = 30;
  const random = randomNumbers(7);
  const [first, ...others] = [await slots.ready(limit), slots.semaphore(limit), slots.semaphore(limit)] as const;
  const anyOne = () => [first, ...others][Math.floor(random() * 3)] ?? first;
  const attempts = await slots.waiting(200);
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      attempts.map((attempt) => {
        const semaphore = anyOne();
        return random() < 0.6 ? semaphore.acquire(attempt, attempt.queueSeq) : semaphore.release(attempt);
      }),
    );
    await slots.expectSound();
  }
  await Promise.all(attempts.map((attempt) => first.release(attempt)));
  expect(await slots.state()).toMatchObject({ queue: [], free: Array.from({ length: limit }, (_, i) => i + 1) });
});

test('every grant is told exactly once: who asks and waits learns of the slot from whoever gave it back', async () => {
  const limit = 5;
  const semaphore = await slots.ready(limit);
  const attempts = await slots.waiting(60);
  const line = new Set<string>();
  let most = 0;
  const granted: string[] = [];
  const live = async (attempt: Attempt): Promise<void> => {
    granted.push(attempt.attemptId);
    line.add(attempt.attemptId);
    most = Math.max(most, line.size);
    await slots.redis.ping();
    line.delete(attempt.attemptId);
    await passOn((await semaphore.release(attempt)).grants);
  };
  const passOn = async (grants: { attemptId: string }[]): Promise<void> => {
    const told = new Set(grants.map(({ attemptId }) => attemptId));
    await Promise.all(attempts.filter(({ attemptId }) => told.has(attemptId)).map(live));
  };
  await Promise.all(
    attempts.map(async (attempt) => passOn((await semaphore.acquire(attempt, attempt.queueSeq)).grants)),
  );
  expect([...granted].sort()).toEqual(attempts.map(({ attemptId }) => attemptId).sort());
  expect(most).toBeLessThanOrEqual(limit);
  await slots.expectSound();
});

test('the limit holds through a flush in the middle, judged by the record', async () => {
  const limit = 4;
  const semaphore = slots.semaphore(limit);
  const attempts = await slots.waiting(40);
  const ended = new Set<string>();
  let most = 0;
  // Each does what its workflow would: asks until it holds a slot by the record, then ends and gives it back.
  const carry = async (attempt: Attempt): Promise<void> => {
    for (;;) {
      const { value: slot } = await untilItWorks(() => semaphore.acquire(attempt, attempt.queueSeq));
      if (slot > 0 && (await slots.tryClaim(attempt, slot)) === 'CLAIMED') {
        await untilItWorks(() => semaphore.confirm(attempt, slot));
        most = Math.max(most, await slots.heldByRecord());
        await slots.end(attempt);
        await untilItWorks(() => semaphore.release(attempt));
        ended.add(attempt.attemptId);
        return;
      }
      // Fenced: Redis learns whose the slot is.
      if (slot > 0) await untilItWorks(() => slots.correct(semaphore, slot));
    }
  };
  const flushes = (async () => {
    for (let done = 5; done <= 30; done += 5) {
      while (ended.size < done) await slots.redis.ping();
      await slots.redis.flushdb();
    }
  })();
  await Promise.all([...attempts.map(carry), flushes]);
  expect(ended.size).toBe(40);
  expect(most).toBeLessThanOrEqual(limit);
  expect((await slots.state()).slots.size).toBe(0);
  await slots.expectSound();
});
