import { RateLimits } from '../../src/access/rate-limits';

const holder = { keyId: 'one', access: 'read', rateLimitPerMinute: 2 } as const;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test('after its minute a key may send as many again', async () => {
  const limits = new RateLimits();
  const spent = async () => (await limits.count(holder))?.exceeded;
  expect([await spent(), await spent(), await spent()]).toEqual([false, false, true]);
  jest.advanceTimersByTime(59_000);
  expect(await limits.count(holder)).toMatchObject({ exceeded: true, resetSeconds: 1 });
  jest.advanceTimersByTime(1_000);
  expect(await limits.count(holder)).toEqual({ limit: 2, remaining: 1, resetSeconds: 60, exceeded: false });
});
