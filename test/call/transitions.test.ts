import { callStatuses, type CallStatus } from '../../src/call/call';
import { activeStatuses, isFinal, mayMove, retryableStatuses } from '../../src/call/transitions';

/** The picture in docs/call-states.md: a row's status may become the statuses marked with x. */
const legalMoves: Record<CallStatus, string> = {
  //            PE IP CO FA EX CA
  PENDING: '     .  x  .  .  x  x',
  IN_PROGRESS: ' x  .  x  x  x  x',
  COMPLETED: '   .  .  .  .  .  .',
  FAILED: '      x  .  .  .  .  .',
  EXPIRED: '     x  .  .  .  .  .',
  CANCELED: '    x  .  .  .  .  .',
};
const pairs = callStatuses.flatMap((from) => {
  const marks = legalMoves[from].trim().split(/\s+/);
  return callStatuses.map((to, index) => [from, to, marks[index] === 'x'] as const);
});

test('the table has a mark for every pair of statuses', () => {
  for (const row of Object.values(legalMoves)) expect(row.trim()).toMatch(/^([x.] +){5}[x.]$/);
});

test.each(pairs)('from %s to %s: %p', (from, to, legal) => {
  expect(mayMove(from, to)).toBe(legal);
});

test('every status is either active or final', () => {
  expect(callStatuses.filter((status) => !isFinal(status))).toEqual(activeStatuses);
});

test('what can be retried is exactly what may become PENDING again after its end', () => {
  expect(callStatuses.filter((status) => isFinal(status) && mayMove(status, 'PENDING'))).toEqual(retryableStatuses);
});

test('a call that ended well is left alone for ever', () => {
  expect(callStatuses.some((to) => mayMove('COMPLETED', to))).toBe(false);
});
