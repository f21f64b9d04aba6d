import { cancelCall } from '../../src/intake/change-call';
import { followSwitch } from '../../src/slots/follow-switch';
import { pauseDialling, resumeDialling } from '../../src/store/control';
import type { Leader } from '../../src/store/leader';
import { createLog } from '../../src/log';
import { Carrier } from '../support/carrier';
import { waitUntil } from '../support/wait-until';

let carrier: Carrier;
let following: Leader | undefined;

beforeEach(async () => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '2' });
  await carrier.startWorker();
});
afterEach(async () => {
  await following?.close();
  following = undefined;
  await carrier.close();
});

/** As each worker does. */
function follow(): void {
  const { semaphore, databaseUrl, namespace } = carrier;
  const log = createLog('test', 'silent');
  following = followSwitch({ config: { DATABASE_URL: databaseUrl }, temporal: namespace.client, semaphore, log });
}

async function dialled(count: number): Promise<void> {
  await waitUntil(`${count} dials`, () => carrier.provider.dials.length === count);
}

const numbersDialled = () => carrier.provider.dials.map(({ to }) => to);

/** Steps that told their workflow to queue again. */
async function sentBack(callId: string): Promise<number> {
  const { events } = await carrier.workflow(callId).fetchHistory();
  return (events ?? []).filter((event) => event.activityTaskCompletedEventAttributes).length;
}

test('while it is paused calls wait at their places and use up no attempt; resumed, they are dialled in order at once', async () => {
  follow();
  const first = await carrier.place();
  await carrier.attemptOnTheLine(first);
  await pauseDialling(carrier.db, 'test');
  const waiting: string[] = [];
  for (let n = 0; n < 4; n++) {
    waiting.push(await carrier.place());
    await carrier.untilWaiting(waiting.at(-1)!);
  }
  await waitUntil('Redis has them all', async () => (await carrier.redis.zcard('{slots}:queue')) === 4);

  // The call on the line goes on, and the slot that it gives back goes to nobody; nor does a round of mending dial.
  await carrier.report(first, 'COMPLETED');
  await carrier.untilStatus(first, 'COMPLETED');
  await carrier.round();
  expect(await carrier.slotsHeld()).toBe(0);
  expect(carrier.provider.dials).toHaveLength(1);
  for (const id of waiting) expect(await carrier.call(id)).toMatchObject({ status: 'PENDING', attempts: 0 });

  await resumeDialling(carrier.db);
  await dialled(3);
  for (const id of waiting.slice(0, 2)) await carrier.report(id, 'COMPLETED');
  await dialled(5);
  const order = await Promise.all(waiting.map(async (id) => (await carrier.call(id)).payload.to));
  expect(numbersDialled().slice(1, 3).sort()).toEqual(order.slice(0, 2));
  expect(numbersDialled().slice(3, 5).sort()).toEqual(order.slice(2));
});

test('a grant that Redis gives because it has not heard of the pause is refused, and waits at its old place', async () => {
  await carrier.semaphore.adoptLimit();
  await pauseDialling(carrier.db, null);
  const ids = [await carrier.place(), await carrier.place(), await carrier.place()];
  for (const id of ids) await carrier.untilWaiting(id);
  await waitUntil('back in the queue', async () => (await carrier.redis.zcard('{slots}:queue')) === 3);
  // Once at the most: by the first claim that is refused, Redis knows.
  const refused = await Promise.all(ids.map(sentBack));
  expect(refused.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
  expect(Math.max(...refused)).toBe(1);
  expect(carrier.provider.dials).toEqual([]);
  for (const id of ids) {
    expect(await carrier.call(id)).toMatchObject({ status: 'PENDING', attempts: 0 });
    expect(await carrier.eventTypes(id)).toEqual(['call.accepted']);
  }

  // Nobody follows the switch: the reconciler comes round to it.
  await resumeDialling(carrier.db);
  await carrier.activities.resendGrants();
  await dialled(2);
  const order = await Promise.all(ids.map(async (id) => (await carrier.call(id)).payload.to));
  expect(numbersDialled().sort()).toEqual(order.slice(0, 2));
  await carrier.report(ids[0]!, 'COMPLETED');
  for (const id of ids.slice(1)) await carrier.report(id, 'COMPLETED');
  for (const id of ids) await carrier.untilStatus(id, 'COMPLETED');
});

test('an attempt that has its slot and is not on the line yet asks the provider nothing more until it is resumed', async () => {
  let reachable = false;
  carrier.provider.answer = ({ attemptId }) =>
    reachable
      ? { kind: 'ACCEPTED', externalCallId: `at-provider-${attemptId}` }
      : { kind: 'UNKNOWN', reason: 'no answer' };
  const id = await carrier.place();
  await dialled(1);
  await pauseDialling(carrier.db, null);
  await waitUntil('its step waits for the end of the pause', async () => {
    const { pendingActivities } = (await carrier.workflow(id).describe()).raw;
    return pendingActivities?.[0]?.lastFailure?.message === 'dialling is paused';
  });
  const asked = carrier.provider.dials.length;
  await carrier.round();
  expect(await carrier.call(id)).toMatchObject({ status: 'IN_PROGRESS', attempts: 1 });

  reachable = true;
  await resumeDialling(carrier.db);
  await carrier.attemptOnTheLine(id);
  expect(carrier.provider.dials).toHaveLength(asked + 1);
  expect(new Set(carrier.provider.dials.map(({ attemptId }) => attemptId)).size).toBe(1);
});

test('what waits can be canceled, and expires, while it is paused', async () => {
  await pauseDialling(carrier.db, null);
  const canceled = await carrier.place();
  const expiring = await carrier.place({ expiresAt: new Date(Date.now() + 1_500).toISOString() });
  for (const id of [canceled, expiring]) await carrier.untilWaiting(id);
  await carrier.starter.handOff(await cancelCall(carrier.db, canceled));
  await carrier.untilStatus(canceled, 'CANCELED');
  await carrier.untilStatus(expiring, 'EXPIRED');
  await waitUntil('the queue empty', async () => (await carrier.redis.zcard('{slots}:queue')) === 0);
  expect(carrier.provider.dials).toEqual([]);
});
