import { acceptCalls } from '../../src/intake/accept-call';
import type { Call } from '../../src/call/call';
import { workflowId } from '../../src/call/names';
import type { DialAnswer } from '../../src/provider/provider';
import { countSlots } from '../../src/store/attempts';
import { Carrier } from '../support/carrier';
import { operatorTool, operatorTools, type OperatorTool } from '../support/temporal-cli';
import { waitUntil } from '../support/wait-until';

/** Each thing that an operator may do to a workflow by the command line, in each moment of a call's life. */
type Moment = 'waiting for a slot' | 'just dialling' | 'on the line' | 'in its backoff' | 'after its end';

/** What operators are promised: so long after, the record is right. */
const promisedSeconds = 60;

let carrier: Carrier;
let operator: OperatorTool;
/** Lets the provider answer the dials that it has accepted and not answered. */
let answers: (() => void)[];
let blocker: string | undefined;

beforeEach(async () => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '1', MAX_CALL_SECONDS: '120', RETRY_INITIAL_SECONDS: '60' });
  await carrier.startWorker();
  answers = [];
  blocker = undefined;
});
afterEach(() => carrier.close());

const accepted = (attemptId: string): DialAnswer => ({ kind: 'ACCEPTED', externalCallId: `at-provider-${attemptId}` });

/** From now on the provider accepts at once and answers when told to. */
function holdAnswers(): void {
  carrier.provider.answer = ({ attemptId }) =>
    new Promise((resolve) => answers.push(() => resolve(accepted(attemptId))));
}

function answerAll(): void {
  carrier.provider.answer = ({ attemptId }) => accepted(attemptId);
  for (const answer of answers.splice(0)) answer();
}

/** A call that has come to this moment. */
async function callThatIs(moment: Moment): Promise<Call> {
  if (moment === 'waiting for a slot') {
    blocker = await carrier.place();
    await carrier.attemptOnTheLine(blocker);
  }
  if (moment === 'just dialling') holdAnswers();
  if (moment === 'after its end') carrier.provider.answer = () => ({ kind: 'REFUSED', reason: 'no', final: true });
  const id = await carrier.place();
  switch (moment) {
    case 'waiting for a slot':
      await carrier.untilWaiting(id);
      break;
    case 'just dialling':
      await waitUntil('the provider to have the call', () => carrier.provider.dials.length === 1);
      break;
    case 'on the line':
      await carrier.attemptOnTheLine(id);
      break;
    case 'in its backoff': {
      const { runId } = await carrier.workflow(id).describe();
      await carrier.report(id, 'BUSY');
      await waitUntil('the next run', async () => (await carrier.workflow(id).describe()).runId !== runId);
      break;
    }
    case 'after its end':
      await carrier.untilStatus(id, 'FAILED');
      await carrier.workflowStatus(id);
      carrier.provider.answer = ({ attemptId }) => accepted(attemptId);
  }
  return carrier.call(id);
}

const untilRight = <T>(what: string, condition: () => Promise<T | undefined | false>) =>
  carrier.reconcileUntil(what, condition, promisedSeconds);

/** Nothing held, nobody waiting, no line live, each attempt dialled under one key; and the number may be called again. */
async function expectAllGivenBack({ id, payload: { to } }: Call): Promise<void> {
  if (blocker !== undefined) await carrier.report(blocker, 'COMPLETED');
  await untilRight('every slot given back', async () => (await carrier.slotsHeld()) === 0);
  expect(await countSlots(carrier.db)).toEqual({ held: 0, waiting: 0 });
  expect(await carrier.redis.zcard('{slots}:queue')).toBe(0);
  const keys = carrier.provider.dials.map(({ attemptId }) => attemptId);
  expect(new Set(keys).size).toBe(keys.length);
  expect(await carrier.workflowStatus(id)).not.toBe('RUNNING');
  const again = { request: { to, scriptId: 'test' }, requestKey: null, source: null };
  expect(await acceptCalls(carrier.db, carrier.config, [again])).toMatchObject([{ kind: 'ACCEPTED' }]);
}

/** The call's attempts that are known to be on the line, hung up by us. */
async function expectHungUp(id: string, attempts: number): Promise<void> {
  const lines = (await carrier.attempts(id)).slice(0, attempts).map(({ externalCallId }) => externalCallId);
  expect(lines).toHaveLength(attempts);
  expect(new Set(carrier.provider.hangUps)).toEqual(new Set(lines));
}

describe.each(operatorTools)('by %s', (tool) => {
  beforeEach(async () => {
    operator = await operatorTool(tool, carrier.namespace.namespace);
  });

  describe.each(['terminate', 'cancel'] as const)('%s', (action) => {
    const reason = action === 'terminate' ? 'workflow terminated' : 'workflow canceled';
    const told = `call.updated: ${reason}`;
    const stories: Record<Exclude<Moment, 'after its end'>, string[]> = {
      'waiting for a slot': ['call.accepted', told, 'call.canceled'],
      'just dialling': ['call.accepted', 'attempt.started', told, 'call.canceled', 'attempt.ended'],
      'on the line':
        action === 'terminate'
          ? ['call.accepted', 'attempt.started', told, 'attempt.ended', 'call.canceled']
          : ['call.accepted', 'attempt.started', told, 'call.canceled', 'attempt.ended'],
      'in its backoff': ['call.accepted', 'attempt.started', 'attempt.ended', told, 'call.canceled'],
    };

    test.each(['waiting for a slot', 'on the line', 'in its backoff'] as const)(
      'a call that is %s: CANCELED, with the reason; slot, number and line given back',
      async (moment) => {
        const call = await callThatIs(moment);
        await operator[action](workflowId(call.id));
        await untilRight('canceled', async () => (await carrier.call(call.id)).status === 'CANCELED');
        expect(await carrier.call(call.id)).toMatchObject({ lastError: reason, nextAttemptAt: null });
        await expectAllGivenBack(call);
        expect(await carrier.story(call.id)).toEqual(stories[moment]);
        if (moment === 'on the line') await expectHungUp(call.id, 1);
        expect(await carrier.round()).toBe(0);
      },
    );

    test('a call that is just dialling: CANCELED, and hung up though the provider’s answer comes after', async () => {
      const call = await callThatIs('just dialling');
      await operator[action](workflowId(call.id));
      if (action === 'terminate') {
        await untilRight('canceled', async () => (await carrier.call(call.id)).status === 'CANCELED');
        // The line may be live: neither its slot nor its number is given to another.
        for (let round = 0; round < 3; round++) await carrier.round();
        expect(await countSlots(carrier.db)).toEqual({ held: 1, waiting: 0 });
        expect(await carrier.slotsHeld()).toBe(1);
      }
      answerAll();
      await untilRight('hung up', async () => (await carrier.attempts(call.id))[0]?.endedAt != null);
      await expectAllGivenBack(call);
      await expectHungUp(call.id, 1);
      expect(await carrier.call(call.id)).toMatchObject({ status: 'CANCELED', lastError: reason });
      expect(await carrier.story(call.id)).toEqual(stories['just dialling']);
    });

    test('a call that has ended: nothing changes', async () => {
      const call = await callThatIs('after its end');
      const story = await carrier.story(call.id);
      const done = operator[action](workflowId(call.id)).then(
        () => 'done',
        () => 'refused',
      );
      // Temporal takes the cancel of a closed workflow, and does nothing.
      expect(await done).toBe(action === 'terminate' ? 'refused' : 'done');
      expect(await carrier.round()).toBe(0);
      expect(await carrier.call(call.id)).toEqual(call);
      expect(await carrier.story(call.id)).toEqual(story);
      await expectAllGivenBack(call);
    });
  });

  describe('reset to the first workflow task', () => {
    test.each([true, false])(
      'a call that is waiting for a slot waits on at its age (with its signals: %s)',
      async (all) => {
        const call = await callThatIs('waiting for a slot');
        const before = await carrier.untilWaiting(call.id);
        // A grant and a report of another attempt, to be applied again: they must do no harm.
        await carrier.workflow(call.id).signal('slotGranted', { attemptId: before.replace(/^./, 'f'), slot: 1 });
        await operator.reset(workflowId(call.id), { withoutSignals: !all });
        await untilRight('a new attempt in the queue', async () => (await carrier.untilWaiting(call.id)) !== before);
        await carrier.report(blocker ?? '', 'COMPLETED');
        blocker = undefined;
        await carrier.report(call.id, 'COMPLETED');
        expect(await carrier.untilStatus(call.id, 'COMPLETED')).toMatchObject({ attempts: 1 });
        await expectAllGivenBack(call);
        expect((await carrier.story(call.id)).slice(0, 3)).toEqual([
          'call.accepted',
          'call.updated: reset',
          'attempt.started',
        ]);
      },
    );

    test.each(['just dialling', 'on the line'] as const)(
      'a call that is %s: the line is hung up, and only then the call goes on with a further attempt',
      async (moment) => {
        const call = await callThatIs(moment);
        await operator.reset(workflowId(call.id));
        await untilRight('a new attempt in the queue', async () => Boolean(await carrier.untilWaiting(call.id)));
        for (let round = 0; round < 2; round++) await carrier.round();
        if (moment === 'just dialling') {
          expect(carrier.provider.dials).toHaveLength(1);
          expect(await carrier.slotsHeld()).toBe(1);
        }
        answerAll();
        await untilRight('the second attempt', async () => (await carrier.call(call.id)).attempts === 2);
        await expectHungUpFirst(call.id);
        await carrier.report(call.id, 'COMPLETED');
        await carrier.untilStatus(call.id, 'COMPLETED');
        await expectAllGivenBack(call);
        expect(await carrier.story(call.id)).toEqual([
          'call.accepted',
          'attempt.started',
          'call.updated: reset',
          'call.updated: workflow reset',
          'attempt.ended',
          'attempt.started',
          'attempt.ended',
          'call.completed',
        ]);
      },
    );

    test('a call in its backoff: refused for the run that has not begun; for the one before, it goes on at once', async () => {
      const call = await callThatIs('in its backoff');
      await expect(operator.reset(workflowId(call.id))).rejects.toThrow();
      expect(await carrier.call(call.id)).toEqual(call);
      await operator.reset(workflowId(call.id), { runId: await firstRunOf(call.id) });
      await carrier.report(call.id, 'COMPLETED');
      expect(await carrier.untilStatus(call.id, 'COMPLETED')).toMatchObject({ attempts: 2 });
      await expectAllGivenBack(call);
    });

    test('a call that has ended opens again, unless its number has another call by then', async () => {
      const call = await callThatIs('after its end');
      await operator.reset(workflowId(call.id));
      await carrier.report(call.id, 'COMPLETED');
      expect(await carrier.untilStatus(call.id, 'COMPLETED')).toMatchObject({ attempts: 2, lastError: null });
      expect(await carrier.workflowStatus(call.id)).toBe('COMPLETED');

      const taken = await callThatIs('after its end');
      const other = await carrier.accept({ to: taken.payload.to });
      await operator.reset(workflowId(taken.id));
      await waitUntil('closed', async () => (await carrier.workflow(taken.id).describe()).status.name === 'COMPLETED');
      expect(await carrier.call(taken.id)).toEqual(taken);
      expect(await carrier.call(other.id)).toMatchObject({ status: 'PENDING' });
    });

    test('a COMPLETED call stays as it is', async () => {
      const call = await callThatIs('on the line');
      await carrier.report(call.id, 'COMPLETED');
      const completed = await carrier.untilStatus(call.id, 'COMPLETED');
      for (const to of ['FirstWorkflowTask', 'LastWorkflowTask'] as const) {
        await carrier.workflowStatus(call.id);
        await operator.reset(workflowId(call.id), { to });
        await waitUntil('closed', async () => (await carrier.workflow(call.id).describe()).status.name === 'COMPLETED');
        expect(await carrier.round()).toBe(0);
        expect(await carrier.call(call.id)).toEqual(completed);
      }
      await expectAllGivenBack(call);
    });
  });
});

async function firstRunOf(callId: string): Promise<string> {
  const { raw } = await carrier.workflow(callId).describe();
  return raw.workflowExecutionInfo?.firstRunId ?? '';
}

async function expectHungUpFirst(callId: string): Promise<void> {
  const [first, second] = await carrier.attempts(callId);
  expect(carrier.provider.hangUps).toEqual([first?.externalCallId]);
  expect(Date.parse(second?.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(first?.endedAt ?? ''));
}
