import type { DialAnswer } from '../../src/provider/provider';
import { countSlots } from '../../src/store/attempts';
import { Carrier } from '../support/carrier';
import { waitUntil } from '../support/wait-until';

/** A dial outlives the workflow that ordered it: its worker goes on after the workflow was terminated. */
let carrier: Carrier;
let answer: (answer: DialAnswer) => void;

const open = async (maxCallSeconds: number) => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '1', MAX_CALL_SECONDS: String(maxCallSeconds) });
  await carrier.startWorker();
  carrier.provider.answer = () => new Promise((resolve) => (answer = resolve));
};
afterEach(() => carrier.close());

/** A call whose dial the provider has not answered, its workflow terminated. */
async function terminatedWhileDialling() {
  const id = await carrier.place();
  await waitUntil('dialling', () => carrier.provider.dials.length === 1);
  await carrier.workflow(id).terminate('by the test');
  const attemptId = carrier.provider.dials[0]?.attemptId ?? '';
  return { id, attemptId, input: { callId: id, round: 1, attemptId, slot: 1 } };
}

const untilEnded = (id: string) =>
  carrier.reconcileUntil('the attempt ended', async () => (await carrier.attempts(id))[0]?.endedAt != null, 60);

const inDoubt = async (id: string) => {
  const row = await carrier.db.selectFrom('attempts').select('in_doubt').where('id', '=', id).executeTakeFirst();
  return row?.in_doubt;
};

describe('while the provider has not answered', () => {
  beforeEach(() => open(300));

  test('the call is CANCELED and keeps its slot and its number, until the answer says what is on the line', async () => {
    const { id } = await terminatedWhileDialling();
    await carrier.reconcileUntil('canceled', async () => (await carrier.call(id)).status === 'CANCELED');
    for (let round = 0; round < 3; round++) expect(await carrier.round()).toBe(0);
    expect(await countSlots(carrier.db)).toEqual({ held: 1, waiting: 0 });
    const next = await carrier.place({ to: (await carrier.call(id)).payload.to });
    await carrier.untilWaiting(next);

    answer({ kind: 'ACCEPTED', externalCallId: 'late' });
    carrier.provider.answer = ({ attemptId }) => ({ kind: 'ACCEPTED', externalCallId: `next-${attemptId}` });
    await untilEnded(id);
    expect(new Set(carrier.provider.hangUps)).toEqual(new Set(['late']));
    expect(await carrier.attemptOnTheLine(next)).toMatchObject({ slot: 1 });
    await carrier.report(next, 'COMPLETED');
  });

  test.each([
    { kind: 'REFUSED', reason: 'no', final: true },
    { kind: 'BUSY', reason: 'not now' },
  ] as const)('an answer that nothing was placed ($kind) ends the doubt, and the attempt', async (said) => {
    const { id } = await terminatedWhileDialling();
    await carrier.round();
    answer(said);
    await untilEnded(id);
    expect(carrier.provider.hangUps).toEqual([]);
    expect(await carrier.slotsHeld()).toBe(0);
  });

  test('an answer that is lost leaves the doubt: the slot is kept', async () => {
    const { id, attemptId } = await terminatedWhileDialling();
    answer({ kind: 'UNKNOWN', reason: 'answer lost' });
    await carrier.reconcileUntil('canceled', async () => (await carrier.call(id)).status === 'CANCELED');
    for (let round = 0; round < 3; round++) await carrier.round();
    expect(await inDoubt(attemptId)).toBe(true);
    expect(await carrier.slotsHeld()).toBe(1);
    const [attempt] = await carrier.attempts(id);
    if (attempt) await carrier.reportOf(attempt, 'NO_ANSWER');
    await untilEnded(id);
    expect(await carrier.attempts(id)).toMatchObject([{ outcome: 'NO_ANSWER' }]);
    expect(await carrier.slotsHeld()).toBe(0);
  });
});

describe('after the reconciler has ended the attempt', () => {
  beforeEach(() => open(1));

  test('a dial that is taken again dials nothing, and gives back what it was granted', async () => {
    const { id, input } = await terminatedWhileDialling();
    answer({ kind: 'BUSY', reason: 'not now' });
    await untilEnded(id);
    const next = await carrier.place();
    await waitUntil('the next has the slot', () => carrier.provider.dials.length === 2);
    expect(await carrier.activities.dial(input)).toEqual({ kind: 'OVER', status: 'CANCELED' });
    expect(carrier.provider.dials).toHaveLength(2);
    expect(await carrier.semaphore.holders()).toMatchObject([{ callId: next, slot: 1 }]);
    answer({ kind: 'REFUSED', reason: 'no', final: true });
    await carrier.untilStatus(next, 'FAILED');
  });

  test('a call that the provider places all the same is hung up at once', async () => {
    const { id, attemptId } = await terminatedWhileDialling();
    await untilEnded(id);
    answer({ kind: 'ACCEPTED', externalCallId: 'astray' });
    await waitUntil('hung up', async () => (await inDoubt(attemptId)) === false);
    expect(carrier.provider.hangUps).toEqual(['astray']);
    expect(await carrier.call(id)).toMatchObject({ status: 'CANCELED', externalCallId: null });
    expect((await carrier.story(id)).at(-1)).toBe(
      'call.updated: line hung up: it was placed after its attempt had ended',
    );
    expect(await carrier.round()).toBe(0);
  });

  test('… and, with the provider away just then, by the reconciler, which tells so once', async () => {
    const { id, attemptId } = await terminatedWhileDialling();
    await untilEnded(id);
    const hangUp = carrier.provider.hangUp.bind(carrier.provider);
    let asked = 0;
    carrier.provider.hangUp = () => {
      asked++;
      return Promise.reject(new Error('the provider is away'));
    };
    answer({ kind: 'ACCEPTED', externalCallId: 'astray' });
    await waitUntil('asked', () => asked > 0);
    expect(await inDoubt(attemptId)).toBe(true);
    carrier.provider.hangUp = hangUp;
    await Promise.all([carrier.round(), carrier.round()]);
    expect(await inDoubt(attemptId)).toBe(false);
    expect(new Set(carrier.provider.hangUps)).toEqual(new Set(['astray']));
    expect((await carrier.story(id)).filter((event) => event.includes('line hung up'))).toHaveLength(1);
  });

  test('a call that was reported by then is not hung up', async () => {
    const { id, attemptId } = await terminatedWhileDialling();
    const [attempt] = await carrier.attempts(id);
    if (attempt) await carrier.reportOf({ ...attempt, externalCallId: 'reported' }, 'COMPLETED');
    await untilEnded(id);
    answer({ kind: 'ACCEPTED', externalCallId: 'reported' });
    await waitUntil('answer recorded', async () => (await inDoubt(attemptId)) === false);
    expect(carrier.provider.hangUps).toEqual([]);
    expect(await carrier.call(id)).toMatchObject({ status: 'COMPLETED' });
  });
});
