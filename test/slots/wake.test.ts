import { randomUUID } from 'node:crypto';

import { workflowId } from '../../src/call/names';
import { attemptIdQuery } from '../../src/call/workflow-messages';
import { longQueue } from '../../src/slots/semaphore';
import { giveBack } from '../../src/slots/signal-grants';
import { createTestNamespace, type TestNamespace } from '../support/temporal';
import { waitUntil } from '../support/wait-until';
import { SlotsUnderTest, type Attempt } from './slots-under-test';

let slots: SlotsUnderTest;
let temporal: TestNamespace;

beforeAll(async () => {
  [slots, temporal] = await Promise.all([SlotsUnderTest.open(), createTestNamespace()]);
});
afterAll(() => Promise.all([slots.close(), temporal.close()]));

test('in a long queue, whoever is about to come to the front is asked for its attempt, once', async () => {
  const { client } = temporal;
  const asked = jest.spyOn(client.workflowService, 'queryWorkflow');
  const semaphore = await slots.ready(1);
  const [holder, ...queue] = (await slots.waiting(longQueue + 3)) as [Attempt, ...Attempt[]];
  const [next, , ahead] = queue as [Attempt, Attempt, Attempt];
  await Promise.all([holder, ...queue].map((attempt) => slots.acquire(semaphore, attempt)));
  // Nobody works on the task queue: what is asked stays unanswered, and holds nothing up.
  for (const { callId } of queue.slice(0, 3)) {
    await client.workflow.start('placeCall', { workflowId: workflowId(callId), taskQueue: randomUUID() });
  }

  expect(await giveBack({ temporal: client, semaphore }, holder)).toBe(1);
  await waitUntil('it is asked', () => asked.mock.calls.length > 0);
  // The queue is no longer long.
  expect(await giveBack({ temporal: client, semaphore }, next)).toBe(1);
  // Else it would be tried again when the connection is closed; and by then a second question would have been asked.
  await Promise.allSettled(asked.mock.results.map(({ value }) => value as Promise<unknown>));
  expect(asked.mock.calls).toMatchObject([
    [{ execution: { workflowId: workflowId(ahead.callId) }, query: { queryType: attemptIdQuery } }],
  ]);
});
