import { lockCall } from '../../src/store/calls';
import { pauseDialling, resumeDialling } from '../../src/store/control';
import { Carrier } from '../support/carrier';
import { backendsThatWait } from '../support/database';
import { waitUntil } from '../support/wait-until';
import { acceptedCall, waitingAttempt } from '../store/records';

/** The step that claims the slot and asks the provider, by itself. */
let carrier: Carrier;
beforeEach(async () => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '1' });
});
afterEach(() => carrier.close());

async function granted(): Promise<{ callId: string; round: number; attemptId: string; slot: number }> {
  const call = await acceptedCall(carrier.db);
  const attemptId = await waitingAttempt(carrier.db, call);
  const ids = { callId: call.id, attemptId };
  const { value: slot } = await carrier.semaphore.acquire(ids, call.queue_seq);
  return { ...ids, round: call.round, slot };
}

const askedOf = (attemptId: string) =>
  carrier.db.selectFrom('attempts').select(['in_doubt', 'asked_at']).where('id', '=', attemptId).executeTakeFirst();

test('a claim that had to wait is not dialled once a pause was answered, and leaves no doubt', async () => {
  const input = await granted();
  let dialling: Promise<unknown> | undefined;
  await carrier.db.transaction().execute(async (trx) => {
    await lockCall(trx, input.callId);
    dialling = carrier.activities.dial(input);
    dialling.catch(() => undefined);
    await waitUntil('the claim waits', async () => (await backendsThatWait(carrier.db)) === 1);
    // Seen by no claim that had begun.
    await pauseDialling(carrier.db, null);
  });
  await expect(dialling).rejects.toThrow('dialling is paused');
  expect(carrier.provider.dials).toEqual([]);
  expect(await askedOf(input.attemptId)).toEqual({ in_doubt: false, asked_at: null });

  await resumeDialling(carrier.db);
  expect(await carrier.activities.dial(input)).toEqual({ kind: 'ON_THE_LINE' });
  expect(carrier.provider.dials).toHaveLength(1);
});

test('while Redis is away a claimed call is dialled, once; the step is over when Redis knows of the slot', async () => {
  const input = await granted();
  const confirm = carrier.semaphore.confirm.bind(carrier.semaphore);
  carrier.semaphore.confirm = () => Promise.reject(new Error('Redis is away'));
  await expect(carrier.activities.dial(input)).rejects.toThrow('Redis is away');
  expect(await carrier.attemptOnTheLine(input.callId)).toMatchObject({ id: input.attemptId, slot: 1 });

  carrier.semaphore.confirm = confirm;
  expect(await carrier.activities.dial(input)).toEqual({ kind: 'ON_THE_LINE' });
  expect(carrier.provider.dials).toHaveLength(1);
});

test('a claim leaves the doubt that its request is on its way, until the answer', async () => {
  const input = await granted();
  carrier.provider.answer = async ({ attemptId }) => {
    expect(await askedOf(attemptId)).toMatchObject({ in_doubt: true });
    return { kind: 'BUSY', reason: 'not now' };
  };
  await expect(carrier.activities.dial(input)).rejects.toThrow('not now');
  expect(await askedOf(input.attemptId)).toMatchObject({ in_doubt: false });
});
