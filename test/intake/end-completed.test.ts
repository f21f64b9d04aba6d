import { sql } from 'kysely';

import { cancelCall } from '../../src/intake/change-call';
import { endCompleted } from '../../src/intake/end-completed';
import { receiveReport } from '../../src/intake/provider-reports';
import { createLog } from '../../src/log';
import { deliverReports } from '../../src/reconciler/deliver-reports';
import { openRedis } from '../../src/slots/redis';
import { Semaphore } from '../../src/slots/semaphore';
import { lockCall } from '../../src/store/calls';
import { findAttemptInCall } from '../../src/store/attempts';
import type { Attempt } from '../../src/call/call';
import { Carrier } from '../support/carrier';
import { waitUntil } from '../support/wait-until';

/** What the record and the slots are once a webhook was acted upon, with nobody there to carry workflows on. */
let carrier: Carrier;
const log = createLog('test', 'silent');

beforeEach(async () => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '1' });
  await carrier.startWorker();
});
afterEach(() => carrier.close());

async function onTheLineWithoutWorker(): Promise<{ id: string; attempt: Attempt }> {
  const id = await carrier.place();
  const attempt = await carrier.attemptOnTheLine(id);
  await carrier.stopWorker();
  return { id, attempt };
}

const signals = async (id: string) => {
  const { events } = await carrier.workflow(id).fetchHistory();
  return (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes != null);
};
const holders = async () => (await carrier.semaphore.holders()).map(({ callId }) => callId);
const updates = async (id: string) => (await carrier.story(id)).filter((event) => event.startsWith('call.updated'));

test('a completed call is over by its report alone, and whoever waits longest has its slot', async () => {
  const first = await carrier.place();
  const attempt = await carrier.attemptOnTheLine(first);
  const second = await carrier.place();
  await carrier.untilWaiting(second);
  await carrier.stopWorker();

  await carrier.reportOf(attempt, 'COMPLETED');
  expect(await carrier.call(first)).toMatchObject({ status: 'COMPLETED', externalCallId: attempt.externalCallId });
  expect(await holders()).toEqual([second]);

  await carrier.startWorker();
  expect(await carrier.workflowStatus(first)).toBe('COMPLETED');
  await carrier.attemptOnTheLine(second);
  await carrier.record(first, 'concluded-by-its-report');
  expect(await carrier.eventTypes(first)).toEqual([
    'call.accepted',
    'attempt.started',
    'attempt.ended',
    'call.completed',
  ]);
});

test('whoever gets the slot before the end is written down begins nothing until it is, and then has it', async () => {
  const first = await carrier.place();
  const attempt = await carrier.attemptOnTheLine(first);
  const second = await carrier.place();
  await carrier.untilWaiting(second);

  let reported: Promise<void> | undefined;
  await carrier.db.transaction().execute(async (trx) => {
    await lockCall(trx, first);
    reported = carrier.reportOf(attempt, 'COMPLETED');
    // Given the slot, fenced out, and waiting again, with the slot the first one's by Redis as by the record.
    await waitUntil('the second was granted the slot', async () => (await signals(second)).length > 0);
    await waitUntil('the first has its slot back', async () => (await holders()).includes(first));
    expect(carrier.provider.dials).toHaveLength(1);
  });
  await reported;
  await carrier.attemptOnTheLine(second);
  expect(await carrier.call(first)).toMatchObject({ status: 'COMPLETED' });
  expect(await carrier.call(second)).toMatchObject({ status: 'IN_PROGRESS', attempts: 1 });
  expect(await holders()).toEqual([second]);
});

test.each(['FAILED', 'BUSY', 'NO_ANSWER'] as const)(
  '%s is for the workflow to judge: it knows what is tried next',
  async (status) => {
    const { id, attempt } = await onTheLineWithoutWorker();
    await carrier.reportOf(attempt, status);
    expect(await carrier.call(id)).toMatchObject({ status: 'IN_PROGRESS' });
    expect(await holders()).toEqual([id]);
  },
);

test('the first report counts: completed after it failed, the call is not completed', async () => {
  const { id, attempt } = await onTheLineWithoutWorker();
  await carrier.reportOf(attempt, 'FAILED');
  await carrier.reportOf(attempt, 'COMPLETED');
  expect(await carrier.call(id)).toMatchObject({ status: 'IN_PROGRESS' });
});

test('a call that was canceled stays so, and its workflow gets it off the line and the books', async () => {
  const { id, attempt } = await onTheLineWithoutWorker();
  const row = await cancelCall(carrier.db, id);
  await carrier.reportOf(attempt, 'COMPLETED');
  expect((await carrier.attempts(id))[0]).toMatchObject({ endedAt: null });

  await carrier.starter.handOff(row);
  await carrier.startWorker();
  await waitUntil('the attempt has ended', async () => (await carrier.attempts(id))[0]?.endedAt !== null);
  expect(await carrier.call(id)).toMatchObject({ status: 'CANCELED' });
});

test('a report that is faster than the answer to the dial brings the provider’s id, and the dial is not repeated', async () => {
  await carrier.stopWorker();
  const { id } = await carrier.accept();
  carrier.provider.answer = async () => {
    const [attempt] = await carrier.attempts(id);
    if (attempt) await carrier.reportOf({ ...attempt, externalCallId: 'by-report' }, 'COMPLETED');
    return { kind: 'UNKNOWN', reason: 'answer lost' };
  };
  await carrier.startWorker();
  await carrier.starter.sweep({ olderThanSeconds: 0, limit: 1 });
  expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 1, externalCallId: 'by-report' });
  expect(await carrier.workflowStatus(id)).toBe('COMPLETED');
  expect(carrier.provider.dials).toHaveLength(1);
  const { raw } = await carrier.workflow(id).describe();
  const shown = raw.workflowExecutionInfo?.searchAttributes?.indexedFields?.['CallStatus']?.data;
  expect(String(shown && Buffer.from(shown))).toContain('COMPLETED');
  await waitUntil('the slot is free', async () => (await holders()).length === 0);
});

test('while Redis is away the call is over all the same, and its workflow gives the slot back', async () => {
  const { id, attempt } = await onTheLineWithoutWorker();
  const away = openRedis('redis://127.0.0.1:1', log);
  const semaphore = new Semaphore(away, carrier.db, 1, log);
  const { db } = carrier;
  const deps = { ...carrier.endDeps, semaphore };
  const reported = await receiveReport(deps, reportOf(attempt), attempt.id);
  await expect(reported?.ending?.handedOver).rejects.toThrow();
  away.disconnect();
  expect(await carrier.call(id)).toMatchObject({ status: 'COMPLETED' });
  expect(await holders()).toEqual([id]);

  await ageReports();
  expect(await deliverReports({ db, temporal: carrier.namespace.client })).toBe(1);
  await carrier.startWorker();
  expect(await carrier.workflowStatus(id)).toBe('COMPLETED');
  expect(await holders()).toEqual([]);
});

test('a workflow that was not told is told by the reconciler, and the timeline says so once', async () => {
  const { id, attempt } = await onTheLineWithoutWorker();
  const inProgress = await findAttemptInCall(carrier.db, attempt.id);
  if (!inProgress) throw new Error('no such attempt');
  const deps = carrier.endDeps;
  const ending = await endCompleted(deps, inProgress, reportOf(attempt));
  expect(ending?.attempt).toMatchObject({ id: attempt.id, outcome: 'COMPLETED' });
  expect(await endCompleted(deps, inProgress, reportOf(attempt))).toBeUndefined();
  expect(await updates(id)).toEqual([]);

  await ageReports();
  expect(await deliverReports(deps)).toBe(1);
  expect(await deliverReports(deps)).toBe(0);
  await carrier.startWorker();
  expect(await carrier.workflowStatus(id)).toBe('COMPLETED');
  expect(await updates(id)).toEqual(['call.updated: provider report delivered late']);
});

const reportOf = (attempt: Attempt) => ({
  externalCallId: attempt.externalCallId ?? '',
  status: 'COMPLETED' as const,
  durationSec: 7,
  failureReason: null,
  completedAt: new Date(),
});

const ageReports = () =>
  carrier.db
    .updateTable('provider_reports')
    .set({ received_at: sql<Date>`now() - interval '1 minute'` })
    .execute();
