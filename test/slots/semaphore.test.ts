import { longQueue } from '../../src/slots/semaphore';
import { SlotsUnderTest, bySlot, grantOf, type Attempt } from './slots-under-test';

let slots: SlotsUnderTest;

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
});
afterAll(() => slots.close());
beforeEach(() => slots.empty());
afterEach(() => slots.expectSound());

const acquire = async (semaphore: ReturnType<SlotsUnderTest['semaphore']>, attempt: Attempt) =>
  (await semaphore.acquire(attempt, attempt.queueSeq)).value;

describe('asking for a slot', () => {
  test('gives the lowest free one, and none beyond the limit', async () => {
    const semaphore = await slots.ready(3);
    const attempts = await slots.waiting(5);
    const given: number[] = [];
    for (const attempt of attempts) given.push(await acquire(semaphore, attempt));
    expect(given).toEqual([1, 2, 3, 0, 0]);
    expect((await slots.state()).held.size).toBe(3);
  });

  test('gives a slot that came back before a higher one', async () => {
    const semaphore = await slots.ready(4);
    const [a, b, c, d] = (await slots.waiting(4)) as [Attempt, Attempt, Attempt, Attempt];
    for (const attempt of [a, b, c]) await acquire(semaphore, attempt);
    await semaphore.release(b);
    expect(await acquire(semaphore, d)).toBe(2);
  });

  test('twice gives the same slot, and takes no second one', async () => {
    const semaphore = await slots.ready(3);
    const attempt = await slots.one();
    expect(await acquire(semaphore, attempt)).toBe(1);
    expect(await acquire(semaphore, attempt)).toBe(1);
    expect((await slots.state()).free).toEqual([2, 3]);
  });

  test('twice while waiting keeps the one place, even where the second asks with another', async () => {
    const semaphore = await slots.ready(1);
    const [a, b, c] = (await slots.waiting(3)) as [Attempt, Attempt, Attempt];
    for (const attempt of [a, b, c, b]) await acquire(semaphore, attempt);
    expect((await semaphore.acquire(c, 0)).value).toBe(0);
    expect((await slots.state()).queue).toEqual([b.attemptId, c.attemptId]);
  });

  test('stands in the queue by place, whatever the order of asking', async () => {
    const semaphore = await slots.ready(1);
    const [holder, ...attempts] = (await slots.waiting(6)) as [Attempt, ...Attempt[]];
    const shuffled = [3, 0, 4, 2, 1].flatMap((index) => attempts.slice(index, index + 1));
    await acquire(semaphore, holder);
    for (const attempt of shuffled) await acquire(semaphore, attempt);

    const served: string[] = [];
    for (let last: Attempt | undefined = holder; last;) {
      const { grants } = await semaphore.release(last);
      last = attempts.find(({ attemptId }) => attemptId === grants[0]?.attemptId);
      if (last) served.push(last.attemptId);
    }
    expect(served).toEqual(attempts.map(({ attemptId }) => attemptId));
  });

  test('places beyond 10 are compared as numbers, not as words', async () => {
    const semaphore = await slots.ready(1);
    const [a, b, c] = (await slots.waiting(3)) as [Attempt, Attempt, Attempt];
    await semaphore.acquire(a, 1);
    await semaphore.acquire(b, 100);
    await semaphore.acquire(c, 20);
    expect((await semaphore.release(a)).grants).toEqual([grantOf(c, 1)]);
  });
});

describe('giving a slot back', () => {
  test('tells, where the queue is long, who will be served when all slots have gone to others once', async () => {
    const semaphore = await slots.ready(2);
    const [a, b, ...queue] = (await slots.waiting(longQueue + 4)) as [Attempt, Attempt, ...Attempt[]];
    await Promise.all([a, b, ...queue].map((attempt) => acquire(semaphore, attempt)));
    const [first, second, , { callId, attemptId }] = queue as [Attempt, Attempt, Attempt, Attempt];
    const ahead = { callId, attemptId };
    expect(await semaphore.release(a)).toEqual({ value: 1, grants: [grantOf(first, 1)], ahead });
    expect(await semaphore.release(b)).toEqual({ value: 2, grants: [grantOf(second, 2)] });
  });

  test('hands it, in the same step, to whoever waits longest, and says so', async () => {
    const semaphore = await slots.ready(2);
    const [a, b, c, d] = (await slots.waiting(4)) as [Attempt, Attempt, Attempt, Attempt];
    for (const attempt of [a, b, c, d]) await acquire(semaphore, attempt);
    expect(await semaphore.release(b)).toEqual({ value: 2, grants: [grantOf(c, 2)] });
    const { held, queue, free } = await slots.state();
    expect(held).toEqual(new Map([[1, a.attemptId], [2, c.attemptId]])); // prettier-ignore
    expect([queue, free]).toEqual([[d.attemptId], []]);
  });

  test('twice gives it back once: the next holder keeps it', async () => {
    const semaphore = await slots.ready(1);
    const [a, b, c] = (await slots.waiting(3)) as [Attempt, Attempt, Attempt];
    for (const attempt of [a, b, c]) await acquire(semaphore, attempt);
    expect((await semaphore.release(a)).grants).toEqual([grantOf(b, 1)]);
    expect(await semaphore.release(a)).toEqual({ value: 0, grants: [] });
    expect((await slots.state()).held).toEqual(new Map([[1, b.attemptId]]));
  });

  test('by one who waits takes it out of the queue and frees nothing', async () => {
    const semaphore = await slots.ready(1);
    const [a, b, c] = (await slots.waiting(3)) as [Attempt, Attempt, Attempt];
    for (const attempt of [a, b, c]) await acquire(semaphore, attempt);
    expect(await semaphore.release(b)).toEqual({ value: 0, grants: [] });
    expect((await slots.state()).queue).toEqual([c.attemptId]);
    expect((await semaphore.release(a)).grants).toEqual([grantOf(c, 1)]);
  });

  test('by one who holds none changes nothing', async () => {
    const semaphore = await slots.ready(2);
    const [a, b, stranger] = (await slots.waiting(3)) as [Attempt, Attempt, Attempt];
    for (const attempt of [a, b]) await acquire(semaphore, attempt);
    const before = await slots.state();
    expect(await semaphore.release(stranger)).toEqual({ value: 0, grants: [] });
    // Another attempt of a call that holds a slot is another ticket.
    expect(await semaphore.release({ callId: a.callId, attemptId: stranger.attemptId })).toEqual({
      value: 0,
      grants: [],
    });
    expect(await slots.state()).toEqual(before);
  });
});

describe('confirming what PostgreSQL has', () => {
  test('leaves the holder where it is, as often as it is told', async () => {
    const semaphore = await slots.ready(2);
    const attempt = await slots.one();
    await acquire(semaphore, attempt);
    for (let i = 0; i < 2; i++) expect(await semaphore.confirm(attempt, 1)).toEqual({ value: 1, grants: [] });
    expect(await slots.state()).toMatchObject({ free: [2], unclaimed: [] });
  });

  test('puts out a wrong holder: PostgreSQL wins', async () => {
    const semaphore = await slots.ready(1);
    const [wrong, right] = (await slots.waiting(2)) as [Attempt, Attempt];
    await acquire(semaphore, wrong);
    expect(await semaphore.confirm(right, 1)).toEqual({ value: 1, grants: [] });
    expect((await slots.state()).held).toEqual(new Map([[1, right.attemptId]]));
    // The one put out waits again; giving back what it no longer has takes nothing, and asking again changes nothing.
    expect((await slots.state()).queue).toEqual([wrong.attemptId]);
    expect(await acquire(semaphore, wrong)).toBe(0);
    expect((await semaphore.release(right)).grants).toEqual([grantOf(wrong, 1)]);
  });

  test('leaves the one put out at the head of the queue: a grant that it never heard of costs it no turn', async () => {
    const semaphore = await slots.ready(1);
    const [right, putOut, later] = (await slots.waiting(3)) as [Attempt, Attempt, Attempt];
    await acquire(semaphore, putOut);
    await acquire(semaphore, later);
    await semaphore.confirm(right, 1);
    expect((await semaphore.release(right)).grants).toEqual([grantOf(putOut, 1)]);
  });

  test('gives the one put out another slot where one is free, and says so', async () => {
    const semaphore = await slots.ready(2);
    const [right, putOut] = (await slots.waiting(2)) as [Attempt, Attempt];
    await acquire(semaphore, putOut);
    expect(await semaphore.confirm(right, 1)).toEqual({ value: 1, grants: [grantOf(putOut, 2)] });
  });

  test('moves a ticket from another slot, which goes to the one put out', async () => {
    const semaphore = await slots.ready(2);
    const [a, b, c] = (await slots.waiting(3)) as [Attempt, Attempt, Attempt];
    for (const attempt of [a, b, c]) await acquire(semaphore, attempt);
    // Redis has a on 1 and b on 2; by the record a is on 2.
    expect(await semaphore.confirm(a, 2)).toEqual({ value: 2, grants: [grantOf(b, 1)] });
    expect((await slots.state()).slots).toEqual(new Map([[a.attemptId, 2], [b.attemptId, 1]])); // prettier-ignore
    expect((await slots.state()).queue).toEqual([c.attemptId]);
  });

  test('takes a slot that was free, and a ticket that waited out of the queue', async () => {
    const semaphore = await slots.ready(2);
    const [a, b, c] = (await slots.waiting(3)) as [Attempt, Attempt, Attempt];
    await semaphore.confirm(a, 2);
    expect(await slots.state()).toMatchObject({ free: [1] });
    for (const attempt of [b, c]) await acquire(semaphore, attempt);
    await semaphore.confirm(c, 1);
    expect(await slots.state()).toMatchObject({ queue: [b.attemptId], free: [] });
  });
});

describe('grants that nobody claimed', () => {
  test('are told again by their age, and no more once they are confirmed or given back', async () => {
    const semaphore = await slots.ready(2);
    const [a, b] = (await slots.waiting(2)) as [Attempt, Attempt];
    for (const attempt of [a, b]) await acquire(semaphore, attempt);
    expect(await semaphore.unclaimed(60)).toEqual([]);
    expect(bySlot(await semaphore.unclaimed(0))).toEqual([grantOf(a, 1), grantOf(b, 2)]);
    await semaphore.confirm(a, 1);
    expect(await semaphore.unclaimed(0)).toEqual([grantOf(b, 2)]);
    await semaphore.release(b);
    expect(await semaphore.unclaimed(0)).toEqual([]);
  });

  test('include the one handed over by a release', async () => {
    const semaphore = await slots.ready(1);
    const [a, b] = (await slots.waiting(2)) as [Attempt, Attempt];
    for (const attempt of [a, b]) await acquire(semaphore, attempt);
    await semaphore.confirm(a, 1);
    await semaphore.release(a);
    expect(await semaphore.unclaimed(0)).toEqual([grantOf(b, 1)]);
  });

  test('keep the age of the grant, however often the holder asks', async () => {
    const semaphore = await slots.ready(1);
    const attempt = await slots.one();
    await acquire(semaphore, attempt);
    const given = await slots.redis.zscore('{slots}:unclaimed', `${attempt.callId}/${attempt.attemptId}`);
    await slots.redis.zadd('{slots}:unclaimed', Number(given) - 10_000, `${attempt.callId}/${attempt.attemptId}`);
    await acquire(semaphore, attempt);
    expect(await semaphore.unclaimed(9)).toEqual([grantOf(attempt, 1)]);
  });
});
