import { SlotsUnderTest, grantOf, type Attempt } from './slots-under-test';

let slots: SlotsUnderTest;

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
});
afterAll(() => slots.close());
beforeEach(() => slots.empty());

/** Attempts that asked at a limit of 3: the first three hold slots 1 to 3. */
async function atLimitOfThree(count: number): Promise<Attempt[]> {
  const semaphore = await slots.ready(3);
  const attempts = await slots.waiting(count);
  for (const attempt of attempts) await semaphore.acquire(attempt, attempt.queueSeq);
  return attempts;
}

test('a raised limit hands its new slots out at once, in order', async () => {
  const [, , , d, e, f] = (await atLimitOfThree(6)) as [Attempt, Attempt, Attempt, Attempt, Attempt, Attempt];
  expect(await slots.semaphore(5).adoptLimit()).toEqual({ value: 3, grants: [grantOf(d, 4), grantOf(e, 5)] });
  expect((await slots.state()).queue).toEqual([f.attemptId]);
  await slots.expectSound();
});

test('a limit taken over twice is taken over once', async () => {
  await atLimitOfThree(3);
  await slots.semaphore(5).adoptLimit();
  const before = await slots.state();
  expect(await slots.semaphore(5).adoptLimit()).toEqual({ value: 5, grants: [] });
  expect(await slots.state()).toEqual(before);
});

test('a lowered limit gives out no slot above it, and lets those held there end in peace', async () => {
  const [a, b, c, d] = (await atLimitOfThree(4)) as [Attempt, Attempt, Attempt, Attempt];
  const lowered = slots.semaphore(1);
  expect(await lowered.adoptLimit()).toEqual({ value: 3, grants: [] });
  expect((await slots.state()).held.size).toBe(3);

  // Slots 3 and 2 come back, and go to nobody though one waits.
  expect(await lowered.release(c)).toEqual({ value: 3, grants: [] });
  expect(await lowered.confirm(b, 2)).toEqual({ value: 2, grants: [] });
  expect(await lowered.release(b)).toEqual({ value: 2, grants: [] });
  expect(await slots.state()).toMatchObject({ free: [], queue: [d.attemptId] });
  expect(await lowered.release(a)).toEqual({ value: 1, grants: [grantOf(d, 1)] });
  await slots.expectSound();
});

test('free slots above a lowered limit are gone', async () => {
  const [a] = (await atLimitOfThree(1)) as [Attempt];
  await slots.semaphore(2).adoptLimit();
  expect((await slots.state()).free).toEqual([2]);
  const [b, c] = (await slots.waiting(2)) as [Attempt, Attempt];
  expect((await slots.semaphore(2).acquire(b, b.queueSeq)).value).toBe(2);
  expect((await slots.semaphore(2).acquire(c, c.queueSeq)).value).toBe(0);
  expect((await slots.state()).slots.get(a.attemptId)).toBe(1);
});

test('a limit lowered and raised again gives no slot twice', async () => {
  const [a, b, c, d] = (await atLimitOfThree(4)) as [Attempt, Attempt, Attempt, Attempt];
  await slots.semaphore(1).adoptLimit();
  await slots.semaphore(1).release(b);
  expect(await slots.semaphore(3).adoptLimit()).toEqual({ value: 1, grants: [grantOf(d, 2)] });
  expect((await slots.state()).held).toEqual(
    new Map([[1, a.attemptId], [2, d.attemptId], [3, c.attemptId]]), // prettier-ignore
  );
  await slots.expectSound();
});

test('a restore under a lower limit leaves the slots above it with their holders, and gives none of them out', async () => {
  const attempts = await slots.waiting(4);
  const [a, b, c, d] = attempts as [Attempt, Attempt, Attempt, Attempt];
  for (const [index, attempt] of [a, b, c].entries()) await slots.claim(attempt, index + 1);
  const lowered = slots.semaphore(2);
  expect((await lowered.acquire(d, d.queueSeq)).value).toBe(0);
  expect((await slots.state()).held.size).toBe(3);
  await slots.end(c);
  expect(await lowered.release(c)).toEqual({ value: 3, grants: [] });
  await slots.end(b);
  expect(await lowered.release(b)).toEqual({ value: 2, grants: [grantOf(d, 2)] });
  await slots.expectSound();
});
