import { exitCodeFor, tallyLine } from '../../infra/tally';

test('the closing line counts what Jest counted', () => {
  expect(tallyLine({ passed: 12, failed: 0, skipped: 0 })).toBe('12 passed, 0 failed');
  expect(tallyLine({ passed: 12, failed: 1, skipped: 2 })).toBe('12 passed, 1 failed, 2 skipped');
});

test.each([
  ['all passed', 0, { passed: 3, failed: 0, skipped: 1 }, 0],
  ['one failed', 1, { passed: 3, failed: 1, skipped: 0 }, 1],
  ['a file could not be run', 0, { passed: 3, failed: 1, skipped: 0 }, 1],
  ['nothing was executed', 0, { passed: 0, failed: 0, skipped: 4 }, 1],
  ['Jest wrote no results', 0, undefined, 1],
  ['Jest was killed', null, undefined, 1],
])('a run in which %s', (_case, jestCode, tally, expected) => {
  expect(exitCodeFor(jestCode, tally)).toBe(expected);
});
