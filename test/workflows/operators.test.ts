import { WorkflowNotFoundError } from '@temporalio/client';

import { workflowId } from '../../src/call/names';
import { storeReport } from '../../src/store/provider-reports';
import { Carrier } from '../support/carrier';
import { waitUntil } from '../support/wait-until';

/** What an operator does to a workflow by `temporal` or `tctl`, and what the reconciler makes of it. */
let carrier: Carrier;

beforeEach(async () => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '1', MAX_CALL_SECONDS: '60', RETRY_INITIAL_SECONDS: '30' });
  await carrier.startWorker();
});
afterEach(() => carrier.close());

/** A reset to the first workflow task, as `temporal workflow reset --type FirstWorkflowTask` does it. */
async function reset(callId: string): Promise<void> {
  const { runId } = await carrier.workflow(callId).describe();
  const history = await carrier.workflow(callId).fetchHistory();
  const first = history.events?.find((event) => event.workflowTaskCompletedEventAttributes);
  await carrier.namespace.client.workflowService.resetWorkflowExecution({
    namespace: carrier.namespace.namespace,
    workflowExecution: { workflowId: workflowId(callId), runId },
    workflowTaskFinishEventId: first?.eventId ?? null,
    requestId: `${callId}-${runId}`,
    reason: 'by the test',
  });
}

async function untilMended(what: string): Promise<void> {
  await waitUntil(what, async () => (await carrier.mend()) > 0);
}

test('a live call whose workflow is terminated is hung up, CANCELED, and its slot goes to the next', async () => {
  const id = await carrier.place();
  const { externalCallId } = await carrier.attemptOnTheLine(id);
  const next = await carrier.place();
  await carrier.untilWaiting(next);
  expect(await carrier.mend()).toBe(0);

  await carrier.workflow(id).terminate('by the test');
  await untilMended('orphan ended');
  expect(await carrier.call(id)).toMatchObject({ status: 'CANCELED', attempts: 1 });
  expect(await carrier.attempts(id)).toMatchObject([{ outcome: 'CANCELED', failureReason: 'workflow terminated' }]);
  expect(carrier.provider.hangUps).toEqual([externalCallId]);
  await carrier.attemptOnTheLine(next);
  expect(await carrier.mend()).toBe(0);
});

test('a terminated call whose report was stored ends as reported, and is not hung up', async () => {
  const id = await carrier.place();
  const attempt = await carrier.attemptOnTheLine(id);
  await carrier.workflow(id).terminate('by the test');
  const report = { status: 'COMPLETED', durationSec: 5, failureReason: null, completedAt: new Date() } as const;
  await storeReport(carrier.db, { ...report, externalCallId: attempt.externalCallId ?? '' }, attempt.id);
  await untilMended('orphan ended');
  expect(await carrier.call(id)).toMatchObject({ status: 'COMPLETED' });
  expect(carrier.provider.hangUps).toEqual([]);
});

test('a line that cannot be hung up keeps its slot until its report comes', async () => {
  carrier.provider.canHangUp = false;
  const id = await carrier.place();
  const attempt = await carrier.attemptOnTheLine(id);
  await carrier.workflow(id).terminate('by the test');
  await untilMended('call canceled');
  expect(await carrier.call(id)).toMatchObject({ status: 'CANCELED', lastError: 'workflow terminated' });
  expect(await carrier.mend()).toBe(0);
  expect(await carrier.slotsHeld()).toBe(1);
  await carrier.reportOf(attempt, 'NO_ANSWER');
  await untilMended('orphan ended');
  expect(await carrier.attempts(id)).toMatchObject([{ outcome: 'NO_ANSWER' }]);
  expect(await carrier.slotsHeld()).toBe(0);
  // Told when the call was canceled, and not again.
  expect(await carrier.story(id)).toEqual([
    'call.accepted',
    'attempt.started',
    'call.updated: workflow terminated',
    'call.canceled',
    'attempt.ended',
  ]);
});

test('a waiting call, and one in its backoff, whose workflows are terminated are CANCELED and leave the queue', async () => {
  const backingOff = await carrier.place();
  await carrier.report(backingOff, 'BUSY');
  await carrier.untilStatus(backingOff, 'PENDING');
  const live = await carrier.place();
  await carrier.attemptOnTheLine(live);
  const waiting = await carrier.place();
  await carrier.untilWaiting(waiting);
  const next = await carrier.place();
  await carrier.untilWaiting(next);
  for (const id of [backingOff, waiting]) await carrier.workflow(id).terminate('by the test');

  await waitUntil('both canceled', async () => {
    await carrier.mend();
    const statuses = await Promise.all([backingOff, waiting].map(async (id) => (await carrier.call(id)).status));
    return statuses.every((status) => status === 'CANCELED');
  });
  expect(await carrier.call(waiting)).toMatchObject({ lastError: 'workflow terminated' });
  await carrier.report(live, 'COMPLETED');
  await carrier.attemptOnTheLine(next);
});

async function deleteWorkflow(callId: string): Promise<void> {
  await carrier.namespace.client.workflowService.deleteWorkflowExecution({
    namespace: carrier.namespace.namespace,
    workflowExecution: { workflowId: workflowId(callId) },
  });
  await waitUntil('gone', () =>
    carrier
      .workflow(callId)
      .describe()
      .then(
        () => false,
        (error: unknown) => error instanceof WorkflowNotFoundError,
      ),
  );
}

test('a waiting call whose workflow is gone is started again, once, and made', async () => {
  const live = await carrier.place();
  await carrier.attemptOnTheLine(live);
  const lost = await carrier.place();
  await carrier.untilWaiting(lost);
  await deleteWorkflow(lost);
  await untilMended('to be started again');
  await carrier.report(live, 'COMPLETED');
  await carrier.report(lost, 'COMPLETED');
  expect(await carrier.untilStatus(lost, 'COMPLETED')).toMatchObject({ attempts: 1 });
  const again = 'call.updated: workflow gone: started again';
  expect((await carrier.story(lost)).slice(0, 3)).toEqual(['call.accepted', again, 'attempt.started']);
});

test('a live call whose workflow is gone is hung up and started again', async () => {
  const id = await carrier.place();
  const { externalCallId } = await carrier.attemptOnTheLine(id);
  await deleteWorkflow(id);
  await carrier.reconcileUntil('on the line again', async () => (await carrier.call(id)).attempts === 2);
  expect(carrier.provider.hangUps).toEqual([externalCallId]);
  await carrier.report(id, 'COMPLETED');
  expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 2 });
});

test('a live call whose workflow is reset is hung up first, and only then dialled anew', async () => {
  const id = await carrier.place();
  const first = await carrier.attemptOnTheLine(id);
  await reset(id);
  await untilMended('first attempt ended');
  expect(carrier.provider.hangUps).toEqual([first.externalCallId]);
  await waitUntil('second attempt on the line', async () => {
    const second = (await carrier.attempts(id))[1];
    return second?.externalCallId != null;
  });
  await carrier.report(id, 'COMPLETED');
  expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 2 });
  expect(carrier.provider.dials).toHaveLength(2);
});

test('an operator who resets a FAILED workflow starts the call again; one who resets a COMPLETED one does not', async () => {
  carrier.provider.answer = () => ({ kind: 'REFUSED', reason: 'provider answered 400', final: true });
  const id = await carrier.place();
  await carrier.untilStatus(id, 'FAILED');
  await carrier.workflowStatus(id);
  carrier.provider.answer = ({ attemptId }) => ({ kind: 'ACCEPTED', externalCallId: `again-${attemptId}` });
  await reset(id);
  await carrier.attemptOnTheLine(id);
  await carrier.report(id, 'COMPLETED');
  expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 2, lastError: null });

  await carrier.workflowStatus(id);
  await reset(id);
  expect(await carrier.workflowStatus(id)).toBe('COMPLETED');
  expect((await carrier.call(id)).status).toBe('COMPLETED');
  expect(carrier.provider.dials).toHaveLength(2);
});
