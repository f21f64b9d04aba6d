import { cancelCall, editCall } from '../../src/intake/change-call';
import { taskQueue, workflowId } from '../../src/call/names';
import { Carrier } from '../support/carrier';
import { waitUntil } from '../support/wait-until';

let carrier: Carrier;

beforeEach(async () => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '2' });
  await carrier.startWorker();
});
afterEach(() => carrier.close());

/** Two calls that hold both slots, the first slot 1: it is on the line before the second is placed. */
async function fillSlots(): Promise<string[]> {
  const ids = [];
  for (let slot = 1; slot <= 2; slot++) {
    const id = await carrier.place();
    await carrier.attemptOnTheLine(id);
    ids.push(id);
  }
  return ids;
}

test('a call beyond the limit waits, and gets the slot of the one that ends, in the order of acceptance', async () => {
  const [first = '', second = ''] = await fillSlots();
  const third = await carrier.place();
  await carrier.untilWaiting(third);
  const fourth = await carrier.place();
  await carrier.untilWaiting(fourth);
  expect(carrier.provider.dials).toHaveLength(2);

  await carrier.report(second, 'COMPLETED');
  expect((await carrier.attemptOnTheLine(third)).slot).toBe(2);
  expect((await carrier.call(fourth)).status).toBe('PENDING');
  await carrier.report(first, 'COMPLETED');
  expect((await carrier.attemptOnTheLine(fourth)).slot).toBe(1);
  for (const id of [third, fourth]) await carrier.report(id, 'COMPLETED');
  for (const id of [third, fourth]) await carrier.untilStatus(id, 'COMPLETED');
  await carrier.record(third, 'waited-for-a-slot');
});

test('those who wait are served by priority, and by age within it; a second attempt keeps its priority', async () => {
  const [first = '', second = ''] = await fillSlots();
  const waiting: string[] = [];
  for (const priority of [5, 3, 1, 3]) {
    waiting.push(await carrier.place({ priority }));
    await carrier.untilWaiting(waiting.at(-1) ?? '');
  }
  const [late = '', usual = '', urgent = '', younger = ''] = waiting;
  expect((await carrier.call(urgent)).priority).toBe(1);

  await carrier.report(first, 'COMPLETED');
  await carrier.attemptOnTheLine(urgent);
  await carrier.report(urgent, 'BUSY');
  await carrier.attemptOnTheLine(usual);
  await waitUntil(
    'the second attempt waits',
    async () => (await carrier.attempts(urgent)).length === 1 && (await carrier.untilWaiting(urgent)),
  );
  await carrier.report(second, 'COMPLETED');
  expect(await carrier.attemptOnTheLine(urgent)).toMatchObject({ number: 2 });
  await carrier.report(usual, 'COMPLETED');
  await carrier.attemptOnTheLine(younger);
  expect((await carrier.call(late)).status).toBe('PENDING');
  await carrier.report(younger, 'COMPLETED');
  await carrier.attemptOnTheLine(late);
});

test('a waiting call expires at its time, unless the time is moved', async () => {
  const [first = ''] = await fillSlots();
  const soon = new Date(Date.now() + 1_500).toISOString();
  const expiring = await carrier.place({ expiresAt: soon });
  const saved = await carrier.place({ expiresAt: soon });
  await carrier.untilWaiting(saved);
  const later = new Date(Date.now() + 3_600_000).toISOString();
  await carrier.starter.handOff(await editCall(carrier.db, saved, { expiresAt: later }));

  const call = await carrier.untilStatus(expiring, 'EXPIRED');
  expect(Date.parse(call.endedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(soon));
  expect(await carrier.workflowStatus(expiring)).toBe('COMPLETED');
  await carrier.report(first, 'COMPLETED');
  await carrier.report(saved, 'COMPLETED');
  await carrier.untilStatus(saved, 'COMPLETED');
  await carrier.record(expiring, 'expired');
});

test('a waiting call that is canceled leaves the queue and dials nothing', async () => {
  const [first = ''] = await fillSlots();
  const waiting = await carrier.place();
  const next = await carrier.place();
  for (const id of [waiting, next]) await carrier.untilWaiting(id);
  await carrier.starter.handOff(await cancelCall(carrier.db, waiting));
  expect(await carrier.workflowStatus(waiting)).toBe('CANCELLED');
  await carrier.report(first, 'COMPLETED');
  await carrier.attemptOnTheLine(next);
  expect(await carrier.attempts(waiting)).toEqual([]);
  expect(await carrier.eventTypes(waiting)).toEqual(['call.accepted', 'call.canceled']);
});

test('a slot that Redis gives out twice is fenced: the second queues again and uses up no attempt', async () => {
  const [first = '', second = ''] = await fillSlots();
  const third = await carrier.place();
  const attemptId = await carrier.untilWaiting(third);
  await carrier.workflow(third).signal('slotGranted', { attemptId, slot: 1 });
  await waitUntil('fenced and waiting again', async () => {
    const { pendingActivities } = (await carrier.workflow(third).describe()).raw;
    const history = await carrier.workflow(third).fetchHistory();
    const claims = history.events?.filter((event) => event.activityTaskCompletedEventAttributes) ?? [];
    return claims.length === 1 && (pendingActivities ?? []).length === 0;
  });
  expect(await carrier.call(third)).toMatchObject({ status: 'PENDING', attempts: 0 });
  expect(carrier.provider.dials).toHaveLength(2);

  await carrier.report(first, 'COMPLETED');
  expect(await carrier.attemptOnTheLine(third)).toMatchObject({ slot: 1, number: 1 });
  for (const id of [second, third]) await carrier.report(id, 'COMPLETED');
  for (const id of [second, third]) await carrier.untilStatus(id, 'COMPLETED');
});

test('a flushed Redis is built anew from the record: nobody new is let in, and the order stays', async () => {
  const [first = '', second = ''] = await fillSlots();
  const third = await carrier.place();
  await carrier.untilWaiting(third);
  const fourth = await carrier.place();
  await carrier.untilWaiting(fourth);
  await carrier.redis.flushdb();

  const fifth = await carrier.place();
  await carrier.untilWaiting(fifth);
  expect(carrier.provider.dials).toHaveLength(2);
  await carrier.report(first, 'COMPLETED');
  expect((await carrier.attemptOnTheLine(third)).slot).toBe(1);
  await carrier.report(second, 'COMPLETED');
  expect((await carrier.attemptOnTheLine(fourth)).slot).toBe(2);
  expect((await carrier.call(fifth)).status).toBe('PENDING');
});

test('a second call to a number waits until the canceled first is off the line', async () => {
  const to = carrier.freshNumber();
  const first = await carrier.place({ to });
  await carrier.attemptOnTheLine(first);
  const canceled = await cancelCall(carrier.db, first);
  const second = await carrier.place({ to });
  await waitUntil('second met the busy number', async () => {
    const history = await carrier.workflow(second).fetchHistory();
    return history.events?.some((event) => event.timerStartedEventAttributes) === true;
  });
  expect(carrier.provider.dials).toHaveLength(1);

  await carrier.starter.handOff(canceled);
  await carrier.report(second, 'COMPLETED');
  await carrier.untilStatus(second, 'COMPLETED');
  expect(carrier.provider.hangUps).toHaveLength(1);
});

test('a call accepted while Temporal was told nothing is started, once, by the sweep', async () => {
  const row = await carrier.accept();
  const sweeps = await Promise.all([1, 2].map(() => carrier.starter.sweep({ olderThanSeconds: 0, limit: 10 })));
  expect(sweeps.reduce((sum, { carriedOut }) => sum + carriedOut, 0)).toBeGreaterThan(0);
  await carrier.report(row.id, 'COMPLETED');
  await carrier.untilStatus(row.id, 'COMPLETED');
  await carrier.workflowStatus(row.id);
  await carrier.starter.handOff(row);
  const runs = carrier.namespace.client.workflow.list({ query: `WorkflowId = '${workflowId(row.id)}'` });
  await waitUntil('visible in the list', async () => {
    let count = 0;
    for await (const run of runs) count += run.taskQueue === taskQueue ? 1 : 0;
    return count === 1;
  });
  expect(carrier.provider.dials).toHaveLength(1);
});
