import { backoffSeconds } from '../../src/call/backoff';
import { readConfig } from '../../src/config';

const { RETRY_INITIAL_SECONDS: initialSeconds, RETRY_BACKOFF: backoff } = readConfig({});

test('by default the second attempt comes 5 s after the first has failed, the third 10 s after the second', () => {
  expect([1, 2].map((number) => backoffSeconds({ initialSeconds, backoff }, number))).toEqual([5, 10]);
});

test('a backoff of 1 waits the same each time', () => {
  expect([1, 2, 9].map((number) => backoffSeconds({ initialSeconds: 0.5, backoff: 1 }, number))).toEqual([
    0.5, 0.5, 0.5,
  ]);
});

test('no wait is longer than 100 times the first: that is where Temporal stops, and what the call shows must be true', () => {
  const policy = { initialSeconds: 5, backoff: 2 };
  expect([7, 8, 100].map((number) => backoffSeconds(policy, number))).toEqual([320, 500, 500]);
  expect(backoffSeconds({ initialSeconds: 0.01, backoff: 100 }, 9_999)).toBe(1);
});
