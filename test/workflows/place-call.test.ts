import { historyToJSON } from '@temporalio/common/lib/proto-utils';

import { cancelCall, editCall, retryCall } from '../../src/intake/change-call';
import { signalNames, type CallReported } from '../../src/call/workflow-messages';
import { Carrier } from '../support/carrier';
import { waitUntil } from '../support/wait-until';

let carrier: Carrier;

beforeAll(async () => {
  carrier = await Carrier.open({ RETRY_INITIAL_SECONDS: '1', MAX_CALL_SECONDS: '4', DIAL_PATIENCE_SECONDS: '3' });
  await carrier.startWorker();
});
afterAll(() => carrier.close());

beforeEach(() => {
  carrier.provider.dials.length = 0;
  carrier.provider.hangUps.length = 0;
  carrier.provider.answer = ({ attemptId }) => ({ kind: 'ACCEPTED', externalCallId: `at-provider-${attemptId}` });
  carrier.provider.state = () => ({ kind: 'LIVE' });
  carrier.provider.canHangUp = true;
});
afterEach(async () => {
  await waitUntil('every slot given back', async () => (await carrier.slotsHeld()) === 0);
});

test('a call that ends well is COMPLETED after one attempt, and its timeline tells so in order', async () => {
  const id = await carrier.place();
  const live = await carrier.untilStatus(id, 'IN_PROGRESS');
  expect(live).toMatchObject({ attempts: 1, nextAttemptAt: null, endedAt: null });
  await carrier.report(id, 'COMPLETED');

  const call = await carrier.untilStatus(id, 'COMPLETED');
  expect(call.startedAt).not.toBeNull();
  expect(call.endedAt).not.toBeNull();
  expect(call.lastError).toBeNull();
  expect(await carrier.workflowStatus(id)).toBe('COMPLETED');
  const [attempt] = await carrier.attempts(id);
  expect(attempt).toMatchObject({ number: 1, slot: 1, outcome: 'COMPLETED', durationSec: 7 });
  expect(call.externalCallId).toBe(attempt?.externalCallId);
  expect(await carrier.eventTypes(id)).toEqual(['call.accepted', 'attempt.started', 'attempt.ended', 'call.completed']);
  await carrier.record(id, 'completed');
});

test('three attempts, 1 s and then 2 s apart, each with a key of its own; then FAILED with the last reason', async () => {
  const id = await carrier.place();
  for (const status of ['BUSY', 'NO_ANSWER', 'FAILED'] as const) await carrier.report(id, status, `because ${status}`);

  const call = await carrier.untilStatus(id, 'FAILED');
  expect(call).toMatchObject({ attempts: 3, lastError: 'FAILED: because FAILED', nextAttemptAt: null });
  expect(await carrier.workflowStatus(id)).toBe('FAILED');
  const attempts = await carrier.attempts(id);
  expect(attempts.map(({ number, outcome }) => [number, outcome])).toEqual([
    [1, 'BUSY'],
    [2, 'NO_ANSWER'],
    [3, 'FAILED'],
  ]);
  const waits = [0, 1].map((i) => Date.parse(attempts[i + 1]?.queuedAt ?? '') - Date.parse(attempts[i]?.endedAt ?? ''));
  expect(waits[0]).toBeGreaterThanOrEqual(950);
  expect(waits[1]).toBeGreaterThanOrEqual(1_950);
  expect(new Set(carrier.provider.dials.map((dial) => dial.attemptId)).size).toBe(3);
  await carrier.record(id, 'three-failed-attempts');
});

test('between two attempts a call is PENDING, says when the next one is due, and may still end well', async () => {
  const id = await carrier.place();
  await carrier.report(id, 'BUSY');
  const waiting = await carrier.untilStatus(id, 'PENDING');
  expect(waiting).toMatchObject({ attempts: 1, lastError: 'BUSY' });
  const dueIn = Date.parse(waiting.nextAttemptAt ?? '') - Date.parse(waiting.updatedAt);
  expect(dueIn).toBe(1_000);
  await carrier.report(id, 'COMPLETED');
  expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 2, lastError: null });
});

test('a refusal that no retry can mend fails the call at its first attempt', async () => {
  carrier.provider.answer = () => ({ kind: 'REFUSED', reason: 'provider answered 400', final: true });
  const id = await carrier.place();
  expect(await carrier.untilStatus(id, 'FAILED')).toMatchObject({
    attempts: 1,
    lastError: 'REFUSED: provider answered 400',
  });
  expect(await carrier.workflowStatus(id)).toBe('FAILED');
  await carrier.record(id, 'refused');
});

test('a passing refusal ends the attempt and not the call', async () => {
  carrier.provider.answer = (request, nth) =>
    nth === 1
      ? { kind: 'REFUSED', reason: 'provider answered 409', final: false }
      : { kind: 'ACCEPTED', externalCallId: `second-${request.attemptId}` };
  const id = await carrier.place();
  await carrier.report(id, 'COMPLETED');
  expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 2 });
});

test.each(['BUSY', 'UNKNOWN'] as const)(
  'a dial answered %s is asked again within the attempt, with the same key',
  async (kind) => {
    carrier.provider.answer = ({ attemptId }, nth) =>
      nth === 1 ? { kind, reason: 'away' } : { kind: 'ACCEPTED', externalCallId: `found-${attemptId}` };
    const id = await carrier.place();
    await carrier.report(id, 'COMPLETED');
    expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 1 });
    expect(new Set(carrier.provider.dials.map((dial) => dial.attemptId)).size).toBe(1);
    expect(carrier.provider.dials).toHaveLength(2);
  },
);

test('a provider that stays away past the patience fails the attempt', async () => {
  carrier.provider.answer = (request, nth) =>
    nth <= 3 ? { kind: 'BUSY', reason: 'away' } : { kind: 'ACCEPTED', externalCallId: `back-${request.attemptId}` };
  const id = await carrier.place();
  await carrier.report(id, 'COMPLETED');
  await carrier.untilStatus(id, 'COMPLETED');
  expect((await carrier.attempts(id)).map((attempt) => attempt.outcome)).toEqual(['UNREACHABLE', 'COMPLETED']);
});

test('a webhook that comes before the answer to the dial counts, and nothing is dialled again', async () => {
  carrier.provider.answer = async () => {
    const [attempt] = await carrier.attempts(id);
    if (attempt) await carrier.reportOf(attempt, 'COMPLETED');
    return { kind: 'UNKNOWN', reason: 'answer lost' };
  };
  const row = await carrier.accept();
  const id = row.id;
  await carrier.starter.handOff(row);
  expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 1 });
  expect(carrier.provider.dials).toHaveLength(1);
  await carrier.record(id, 'reported-before-the-answer');
});

test('a late report of an earlier attempt changes nothing for the one in progress', async () => {
  const id = await carrier.place();
  const first = await carrier.attemptOnTheLine(id);
  await carrier.report(id, 'BUSY');
  await waitUntil('second attempt', async () => (await carrier.call(id)).attempts === 2);
  const late: CallReported = { attemptId: first.id, status: 'COMPLETED', durationSec: 1, failureReason: null };
  await carrier.workflow(id).signal(signalNames.callReported, late);
  await carrier.workflow(id).signal(signalNames.slotGranted, { attemptId: first.id, slot: 9 });
  await carrier.report(id, 'COMPLETED');
  expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 2 });
  await carrier.record(id, 'late-signals');
});

test('a live call that is canceled is CANCELED at once and hung up before its slot is free', async () => {
  const id = await carrier.place();
  const attempt = await carrier.attemptOnTheLine(id);
  const row = await cancelCall(carrier.db, id);
  expect(row.status).toBe('CANCELED');
  await carrier.starter.handOff(row);
  expect(await carrier.workflowStatus(id)).toBe('CANCELLED');
  expect(carrier.provider.hangUps).toEqual([attempt.externalCallId]);
  expect(await carrier.attempts(id)).toMatchObject([{ outcome: 'CANCELED' }]);
  expect(await carrier.eventTypes(id)).toEqual(['call.accepted', 'attempt.started', 'call.canceled', 'attempt.ended']);
  await carrier.record(id, 'canceled-live');
});

test("an operator's cancel in a backoff ends the call, which does not go on", async () => {
  const id = await carrier.place();
  await carrier.report(id, 'BUSY');
  await carrier.untilStatus(id, 'PENDING');
  await carrier.workflow(id).cancel();
  await carrier.untilStatus(id, 'CANCELED');
  expect(await carrier.workflowStatus(id)).toBe('CANCELLED');
  expect(carrier.provider.dials).toHaveLength(1);
  await carrier.record(id, 'canceled-in-backoff');
});

test('an ended call that is retried starts again with fresh attempts', async () => {
  carrier.provider.answer = () => ({ kind: 'REFUSED', reason: 'provider answered 400', final: true });
  const id = await carrier.place();
  await carrier.untilStatus(id, 'FAILED');
  await carrier.workflowStatus(id);
  carrier.provider.answer = ({ attemptId }) => ({ kind: 'ACCEPTED', externalCallId: `again-${attemptId}` });

  const row = await retryCall(carrier.db, id, carrier.config);
  expect(row).toMatchObject({ status: 'PENDING', attempts: 0, last_error: null, ended_at: null });
  expect(await carrier.starter.handOff(row)).toBe(true);
  await carrier.report(id, 'COMPLETED');
  expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 1 });
  expect((await carrier.attempts(id)).map(({ number, outcome }) => [number, outcome])).toEqual([
    [1, 'REFUSED'],
    [1, 'COMPLETED'],
  ]);
});

test('a call without a report is settled by asking: what the provider says of its end counts', async () => {
  carrier.provider.state = () => ({ kind: 'ENDED', status: 'COMPLETED', durationSec: 3, failureReason: null });
  const id = await carrier.place();
  await carrier.untilStatus(id, 'COMPLETED');
  expect(await carrier.attempts(id)).toMatchObject([{ outcome: 'COMPLETED', durationSec: 3 }]);
  await carrier.record(id, 'settled-by-asking');
});

test('a call that is live past MAX_CALL_SECONDS is hung up, and the attempt has failed', async () => {
  const id = await carrier.place();
  const { externalCallId } = await carrier.attemptOnTheLine(id);
  await waitUntil('first attempt ended', async () => (await carrier.attempts(id))[0]?.endedAt !== null);
  expect(carrier.provider.hangUps).toEqual([externalCallId]);
  expect(await carrier.attempts(id)).toMatchObject([{ outcome: 'FAILED', failureReason: 'hung up' }]);
  await carrier.report(id, 'COMPLETED');
  await carrier.untilStatus(id, 'COMPLETED');
});

test('an edit reaches a call in its backoff, and the next attempt dials what was edited', async () => {
  const id = await carrier.place();
  await carrier.report(id, 'BUSY');
  await carrier.untilStatus(id, 'PENDING');
  const to = carrier.freshNumber();
  await carrier.starter.handOff(await editCall(carrier.db, id, { to, scriptId: 'other' }));
  await carrier.report(id, 'COMPLETED');
  await carrier.untilStatus(id, 'COMPLETED');
  expect(carrier.provider.dials.map((dial) => dial.scriptId)).toEqual(['test', 'other']);
  expect(carrier.provider.dials[1]?.to).toBe(to);
});

test('no phone number stands in a history', async () => {
  const id = await carrier.place();
  await carrier.report(id, 'COMPLETED');
  const { payload } = await carrier.untilStatus(id, 'COMPLETED');
  await carrier.workflowStatus(id);
  const history = historyToJSON(await carrier.workflow(id).fetchHistory());
  const payloads = [...history.matchAll(/"data": ?"([^"]*)"/g)].map(([, data = '']) =>
    Buffer.from(data, 'base64').toString('utf8'),
  );
  const text = [history, ...payloads].join('\n');
  expect(text).toContain('enqueueAttempt');
  expect(text).not.toContain(payload.to.slice(1));
});
