import { sql } from 'kysely';

import { cancelCall } from '../../src/intake/change-call';
import { workflowId } from '../../src/call/names';
import { countSlots } from '../../src/store/attempts';
import { Carrier } from '../support/carrier';
import { operatorTool, operatorTools, type OperatorTool } from '../support/temporal-cli';
import { waitUntil } from '../support/wait-until';

/** What several operators do to one workflow in a row, and resets to the midst of a run. */
const promisedSeconds = 60;

let carrier: Carrier;
let operator: OperatorTool;

beforeEach(async () => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '1', MAX_CALL_SECONDS: '300', RETRY_INITIAL_SECONDS: '1' });
  await carrier.startWorker();
});
afterEach(async () => {
  try {
    await untilRight('every slot given back', async () => (await carrier.slotsHeld()) === 0);
    expect(await countSlots(carrier.db)).toEqual({ held: 0, waiting: 0 });
  } finally {
    await carrier.close();
  }
});

const untilRight = <T>(what: string, condition: () => Promise<T | undefined | false>) =>
  carrier.reconcileUntil(what, condition, promisedSeconds);

const isNow = async (id: string, status: string) => (await carrier.call(id)).status === status;

/** One that has the only slot, and one that waits for it. */
async function liveAndWaiting(): Promise<{ live: string; waiting: string }> {
  const live = await carrier.place();
  await carrier.attemptOnTheLine(live);
  const waiting = await carrier.place();
  await carrier.untilWaiting(waiting);
  return { live, waiting };
}

/**
 * So many attempts of another call before this one, by the record alone; queued in an hour, so that the audit of the slots
 * does not look for them in Redis yet.
 */
async function standBefore(callId: string, { of, count }: { of: string; count: number }): Promise<void> {
  await sql`
    insert into attempts (id, call_id, round, queue_seq, run_id, run_number, queued_at)
    select gen_random_uuid(), ${of}, round, queue_seq - 1, 'of nobody', 1, now() + interval '1 hour'
    from attempts, generate_series(1, ${count}) where call_id = ${callId}`.execute(carrier.db);
}

/** The workflow task after the latest is done: a reset to the last one then keeps what came before. */
async function anotherTask(id: string): Promise<void> {
  const tasks = async () => {
    const { events } = await carrier.workflow(id).fetchHistory();
    return events?.filter((event) => event.workflowTaskCompletedEventAttributes).length ?? 0;
  };
  const before = await tasks();
  await carrier.workflow(id).signal('slotGranted', { attemptId: 'of nobody', slot: 1 });
  await waitUntil('another workflow task', async () => (await tasks()) > before);
}

/**
 * The workflow knows that its call is on the line. The record knows it sooner: reset to the last task in between, it
 * would be back before it queued.
 */
async function heardOfItsLine(id: string): Promise<void> {
  await waitUntil('the workflow task after the dial', async () => {
    const { events } = await carrier.workflow(id).fetchHistory();
    const dialled = events?.findIndex((event) => event.activityTaskCompletedEventAttributes) ?? -1;
    return dialled >= 0 && events?.slice(dialled).some((event) => event.workflowTaskCompletedEventAttributes);
  });
}

describe.each(operatorTools)('by %s', (tool) => {
  beforeEach(async () => {
    operator = await operatorTool(tool, carrier.namespace.namespace);
  });

  describe('reset to the last workflow task', () => {
    test('a call on the line goes on with its attempt: nothing is hung up or dialled again', async () => {
      const id = await carrier.place();
      const attempt = await carrier.attemptOnTheLine(id);
      await heardOfItsLine(id);
      await operator.reset(workflowId(id), { to: 'LastWorkflowTask' });
      const told = 'call.updated: workflow reset: its attempt goes on';
      await untilRight('the attempt taken over', async () => (await carrier.story(id)).includes(told));
      for (let round = 0; round < 3; round++) expect(await carrier.round()).toBe(0);
      expect(carrier.provider.hangUps).toEqual([]);
      await carrier.reportOf(attempt, 'COMPLETED');
      expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 1 });
      expect(carrier.provider.dials).toHaveLength(1);
      expect((await carrier.story(id)).filter((event) => event === told)).toHaveLength(1);
    });

    test('a call that was just dialling is asked for again with the same key, and reported once', async () => {
      const { live, waiting } = await liveAndWaiting();
      const answers: (() => void)[] = [];
      carrier.provider.answer = ({ attemptId }) =>
        new Promise((resolve) => {
          answers.push(() => resolve({ kind: 'ACCEPTED', externalCallId: `at-provider-${attemptId}` }));
        });
      await carrier.report(live, 'COMPLETED');
      await waitUntil('dialling', () => answers.length === 1);
      await operator.reset(workflowId(waiting), { to: 'LastWorkflowTask' });
      await waitUntil('asked for again', () => answers.length === 2);
      for (let round = 0; round < 2; round++) await carrier.round();
      for (const answer of answers) answer();
      await carrier.report(waiting, 'COMPLETED');
      expect(await carrier.untilStatus(waiting, 'COMPLETED')).toMatchObject({ attempts: 1 });
      expect(new Set(carrier.provider.dials.slice(1).map(({ attemptId }) => attemptId)).size).toBe(1);
    });

    test('a call that waits keeps its place, and is placed when its turn comes', async () => {
      const { live, waiting } = await liveAndWaiting();
      const attemptId = await carrier.untilWaiting(waiting);
      await anotherTask(waiting);
      await operator.reset(workflowId(waiting), { to: 'LastWorkflowTask' });
      for (let round = 0; round < 2; round++) await carrier.round();
      expect(await carrier.untilWaiting(waiting)).toBe(attemptId);
      await carrier.report(live, 'COMPLETED');
      const attempt = await carrier.attemptOnTheLine(waiting);
      for (let round = 0; round < 2; round++) await carrier.round();
      expect(carrier.provider.hangUps).toEqual([]);
      await carrier.reportOf(attempt, 'COMPLETED');
      expect(await carrier.untilStatus(waiting, 'COMPLETED')).toMatchObject({ attempts: 1 });
    });

    test('a FAILED call opens again', async () => {
      carrier.provider.answer = () => ({ kind: 'REFUSED', reason: 'no', final: true });
      const id = await carrier.place();
      await carrier.untilStatus(id, 'FAILED');
      await carrier.workflowStatus(id);
      carrier.provider.answer = ({ attemptId }) => ({ kind: 'ACCEPTED', externalCallId: `again-${attemptId}` });
      await operator.reset(workflowId(id), { to: 'LastWorkflowTask' });
      await untilRight('on the line again', async () => isNow(id, 'IN_PROGRESS'));
      await carrier.report(id, 'COMPLETED');
      expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 2 });
    });

    test('a call that was terminated on the line opens again', async () => {
      const id = await carrier.place();
      await carrier.attemptOnTheLine(id);
      await operator.terminate(workflowId(id));
      await untilRight('canceled', async () => isNow(id, 'CANCELED'));
      await operator.reset(workflowId(id), { to: 'LastWorkflowTask' });
      await untilRight('on the line again', async () => isNow(id, 'IN_PROGRESS'));
      await carrier.report(id, 'COMPLETED');
      expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 2 });
    });
  });

  test('reset, and then back to the run before: the call goes on, once', async () => {
    const { live, waiting } = await liveAndWaiting();
    await anotherTask(waiting);
    const { runId } = await carrier.workflow(waiting).describe();
    const first = await carrier.untilWaiting(waiting);
    await operator.reset(workflowId(waiting));
    await waitUntil('a new attempt', async () => (await carrier.untilWaiting(waiting)) !== first);
    await operator.reset(workflowId(waiting), { runId, to: 'LastWorkflowTask' });
    await carrier.report(live, 'COMPLETED');
    await untilRight('on the line', async () => isNow(waiting, 'IN_PROGRESS'));
    await carrier.report(waiting, 'COMPLETED');
    expect(await carrier.untilStatus(waiting, 'COMPLETED')).toMatchObject({ attempts: 1 });
    expect(carrier.provider.dials).toHaveLength(2);
  });

  test('canceled, then reset to the first workflow task: the call opens again', async () => {
    const id = await carrier.place();
    await carrier.attemptOnTheLine(id);
    await operator.cancel(workflowId(id));
    await carrier.workflowStatus(id);
    await operator.reset(workflowId(id));
    await carrier.report(id, 'COMPLETED');
    expect(await carrier.untilStatus(id, 'COMPLETED')).toMatchObject({ attempts: 2 });
  });

  test('expired, then reset to the first workflow task: the call opens again, with a new expiry', async () => {
    const live = await carrier.place();
    await carrier.attemptOnTheLine(live);
    const expiresAt = new Date(Date.now() + 1_000).toISOString();
    const id = await carrier.place({ expiresAt });
    await carrier.untilStatus(id, 'EXPIRED');
    await carrier.workflowStatus(id);
    await operator.reset(workflowId(id));
    await carrier.report(live, 'COMPLETED');
    await carrier.report(id, 'COMPLETED');
    const call = await carrier.untilStatus(id, 'COMPLETED');
    expect(Date.parse(call.expiresAt)).toBeGreaterThan(Date.parse(expiresAt) + 60_000);
  });

  test('reset, then terminate: hung up and CANCELED, and nobody is left in the queue', async () => {
    const id = await carrier.place();
    await carrier.attemptOnTheLine(id);
    await operator.reset(workflowId(id));
    await carrier.untilWaiting(id);
    await operator.terminate(workflowId(id));
    await untilRight('canceled', async () => isNow(id, 'CANCELED'));
    await untilRight('off the line', async () => (await carrier.attempts(id))[0]?.endedAt != null);
    expect(carrier.provider.hangUps).toHaveLength(1);
    expect(carrier.provider.dials).toHaveLength(1);
    await untilRight('out of the queue', async () => (await countSlots(carrier.db)).waiting === 0);
  });

  test('terminate, then reset, then cancel, before anybody looks: CANCELED, hung up, dialled once', async () => {
    const id = await carrier.place();
    await carrier.attemptOnTheLine(id);
    await operator.terminate(workflowId(id));
    await operator.reset(workflowId(id));
    await operator.cancel(workflowId(id));
    await untilRight('canceled', async () => isNow(id, 'CANCELED'));
    await untilRight('off the line', async () => (await carrier.attempts(id))[0]?.endedAt != null);
    expect(carrier.provider.hangUps).toHaveLength(1);
    expect(carrier.provider.dials).toHaveLength(1);
  });

  test.each(['the operator', 'the API'])('canceled by %s, then terminated while it is being hung up', async (by) => {
    let asked = 0;
    const hangUp = carrier.provider.hangUp.bind(carrier.provider);
    carrier.provider.hangUp = () => {
      asked++;
      return Promise.reject(new Error('the provider is away'));
    };
    const id = await carrier.place();
    const { externalCallId } = await carrier.attemptOnTheLine(id);
    if (by === 'the API') await carrier.starter.handOff(await cancelCall(carrier.db, id));
    else await operator.cancel(workflowId(id));
    await waitUntil('hanging up', () => asked > 0);
    expect((await carrier.call(id)).status).toBe('CANCELED');
    await operator.terminate(workflowId(id));
    for (let round = 0; round < 2; round++) await carrier.round();
    expect(await carrier.slotsHeld()).toBe(1);
    carrier.provider.hangUp = hangUp;
    await untilRight('off the line', async () => (await carrier.attempts(id))[0]?.endedAt != null);
    expect(carrier.provider.hangUps).toEqual([externalCallId]);
    expect(await carrier.story(id)).toEqual([
      'call.accepted',
      'attempt.started',
      ...(by === 'the API' ? [] : ['call.updated: workflow canceled']),
      'call.canceled',
      'call.updated: workflow terminated',
      'attempt.ended',
    ]);
  });

  test('a call that was canceled in the queue, its workflow terminated before it heard, leaves the queue', async () => {
    const { live, waiting } = await liveAndWaiting();
    await cancelCall(carrier.db, waiting);
    await operator.terminate(workflowId(waiting));
    await untilRight('out of the queue', async () => (await countSlots(carrier.db)).waiting === 0);
    expect((await carrier.story(waiting)).at(-1)).toBe('call.updated: left the queue: its workflow had been ended');
    await carrier.report(live, 'COMPLETED');
  });

  test('and so does one that stands behind five hundred others', async () => {
    const { live, waiting } = await liveAndWaiting();
    await standBefore(waiting, { of: live, count: 500 });
    await cancelCall(carrier.db, waiting);
    await operator.terminate(workflowId(waiting));
    await untilRight('out of the queue', async () => (await countSlots(carrier.db)).waiting === 500);
    expect((await carrier.story(waiting)).at(-1)).toBe('call.updated: left the queue: its workflow had been ended');
    await carrier.db.deleteFrom('attempts').where('run_id', '=', 'of nobody').execute();
    await carrier.report(live, 'COMPLETED');
  });
});

test('signals that mean nothing keep no workflow from going on', async () => {
  const { live, waiting } = await liveAndWaiting();
  const attemptId = await carrier.untilWaiting(waiting);
  const { id: liveAttempt } = await carrier.attemptOnTheLine(live);
  for (const id of [live, waiting]) {
    const junk = [[], [null], ['x'], [{}], [{ attemptId: id === live ? liveAttempt : attemptId }]];
    for (const args of junk) {
      for (const name of ['slotGranted', 'callReported', 'callEdited', 'unheardOf']) {
        await carrier.workflow(id).signal(name, ...args);
      }
    }
  }
  await carrier.report(live, 'COMPLETED');
  await carrier.report(waiting, 'COMPLETED');
  expect(await carrier.untilStatus(waiting, 'COMPLETED')).toMatchObject({ attempts: 1 });
});
