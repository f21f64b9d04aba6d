import { randomUUID } from 'node:crypto';

import { cancelCall, editCall } from '../../src/intake/change-call';
import { createLog } from '../../src/log';
import { deliverReports } from '../../src/reconciler/deliver-reports';
import { expireOverdue } from '../../src/reconciler/expire-overdue';
import { handOffLeftBehind } from '../../src/reconciler/hand-off-left-behind';
import { resendGrants } from '../../src/reconciler/resend-grants';
import { Semaphore } from '../../src/slots/semaphore';
import { findCall } from '../../src/store/calls';
import { Carrier } from '../support/carrier';
import { waitUntil } from '../support/wait-until';

let carrier: Carrier;

/** Two slots, and a worker that places calls. */
beforeEach(async () => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '2', RETRY_INITIAL_SECONDS: '60' });
  await carrier.startWorker();
});
afterEach(() => carrier.close());

const deps = () => ({
  db: carrier.db,
  temporal: carrier.namespace.client,
  semaphore: carrier.semaphore,
  starter: carrier.starter,
  log: createLog('test', 'silent'),
});

/** Time passes for what is on its way: orders, reports and grants are as old as if a minute had gone by. */
async function aMinutePasses(): Promise<void> {
  const earlier = new Date(Date.now() - 60_000);
  await carrier.db.updateTable('calls').set({ handoff_at: earlier }).where('handoff', 'is not', null).execute();
  await carrier.db.updateTable('provider_reports').set({ received_at: earlier }).execute();
  for (const ticket of await carrier.redis.zrange('{slots}:unclaimed', '0', '-1')) {
    await carrier.redis.zincrby('{slots}:unclaimed', -60_000, ticket);
  }
}

const overdue = (callId: string) =>
  carrier.db
    .updateTable('calls')
    .set({ expires_at: new Date(Date.now() - 1) })
    .where('id', '=', callId)
    .execute();

describe('expiring what is overdue', () => {
  test('ends each overdue PENDING call once, however many do it at once, and orders its workflow to be canceled', async () => {
    const [overdueCall, otherOverdue, inTime] = [
      await carrier.accept(),
      await carrier.accept(),
      await carrier.accept(),
    ];
    for (const { id } of [overdueCall, otherOverdue]) await overdue(id);
    const expired = await Promise.all([1, 2, 3].map(() => expireOverdue(deps())));
    expect(expired.reduce((sum, count) => sum + count, 0)).toBe(2);
    expect(await expireOverdue(deps())).toBe(0);

    expect(await findCall(carrier.db, overdueCall.id)).toMatchObject({ status: 'EXPIRED', handoff: 'CANCEL' });
    expect(await carrier.story(overdueCall.id)).toEqual([
      'call.accepted',
      'call.updated: expired while it waited for its workflow or its next attempt',
      'call.expired',
    ]);
    expect((await carrier.call(overdueCall.id)).endedAt).not.toBeNull();
    expect((await carrier.call(inTime.id)).status).toBe('PENDING');
  });

  test('lets a call live whose expiry was moved while it was about to be ended', async () => {
    const { id } = await carrier.accept();
    await overdue(id);
    let moved = false;
    const db = carrier.db.withPlugin({
      transformQuery: ({ node }) => node,
      transformResult: async ({ result }) => {
        if (!moved) {
          moved = true;
          await editCall(carrier.db, id, { expiresAt: new Date(Date.now() + 60_000).toISOString() });
        }
        return result;
      },
    });
    expect(await expireOverdue({ ...deps(), db })).toBe(0);
    expect(moved).toBe(true);
    expect((await carrier.call(id)).status).toBe('PENDING');
  });

  test('lets a call finish that is in progress', async () => {
    const id = await carrier.place();
    await carrier.attemptOnTheLine(id);
    await overdue(id);
    expect(await expireOverdue(deps())).toBe(0);
    await carrier.report(id, 'COMPLETED');
    await carrier.untilStatus(id, 'COMPLETED');
  });

  test('a call that expires in its backoff dials no more, and its workflow ends', async () => {
    const id = await carrier.place();
    await carrier.report(id, 'BUSY');
    await carrier.untilStatus(id, 'PENDING');
    await overdue(id);
    expect(await expireOverdue(deps())).toBe(1);
    await aMinutePasses();
    await handOffLeftBehind(deps());
    await carrier.workflowStatus(id);
    // The expiry was told: that its workflow was canceled for it is no further news.
    expect((await carrier.story(id)).slice(-2)).toEqual([expect.stringContaining('expired while'), 'call.expired']);
    expect(await carrier.call(id)).toMatchObject({ status: 'EXPIRED', attempts: 1, nextAttemptAt: null });
    expect(carrier.provider.dials).toHaveLength(1);
    expect(await carrier.slotsHeld()).toBe(0);
  });
});

describe('handing off what was left behind', () => {
  test('starts, edits and cancels what Temporal was not told, once; what is young is left to its own process', async () => {
    const started = await carrier.accept();
    expect(await handOffLeftBehind(deps())).toBe(0);
    await aMinutePasses();
    const told = await Promise.all([handOffLeftBehind(deps()), handOffLeftBehind(deps())]);
    expect(Math.max(...told)).toBe(1);
    await carrier.attemptOnTheLine(started.id);
    expect(carrier.provider.dials).toHaveLength(1);

    await cancelCall(carrier.db, started.id);
    await aMinutePasses();
    expect(await handOffLeftBehind(deps())).toBe(1);
    expect(await carrier.workflowStatus(started.id)).toBe('CANCELLED');
    expect(carrier.provider.hangUps).toHaveLength(1);
    expect(await handOffLeftBehind(deps())).toBe(0);
  });

  test('a call edited before it was started is started, as edited', async () => {
    const row = await carrier.accept();
    await editCall(carrier.db, row.id, { scriptId: 'edited' });
    await aMinutePasses();
    expect(await handOffLeftBehind(deps())).toBe(1);
    await carrier.attemptOnTheLine(row.id);
    expect(carrier.provider.dials).toMatchObject([{ scriptId: 'edited' }]);
  });

  test('a call canceled before it was started never dials', async () => {
    const row = await carrier.accept();
    await cancelCall(carrier.db, row.id);
    await aMinutePasses();
    // There was nobody to tell: nothing is mended by it, and nothing told.
    expect(await handOffLeftBehind(deps())).toBe(0);
    expect(await carrier.story(row.id)).toEqual(['call.accepted', 'call.canceled']);
    expect(await findCall(carrier.db, row.id)).toMatchObject({ status: 'CANCELED', handoff: null });
    await expect(carrier.workflow(row.id).describe()).rejects.toThrow();
  });
});

describe('delivering reports', () => {
  test('tells a workflow of a report that was stored and not signalled, once', async () => {
    const id = await carrier.place();
    const attempt = await carrier.attemptOnTheLine(id);
    const report = { externalCallId: attempt.externalCallId ?? '', durationSec: 3, failureReason: null } as const;
    await carrier.receive({ ...report, status: 'COMPLETED', completedAt: new Date() }, attempt.id);
    expect(await deliverReports(deps())).toBe(0);
    await aMinutePasses();
    await Promise.all([deliverReports(deps()), deliverReports(deps())]);
    await carrier.untilStatus(id, 'COMPLETED');
    expect(await carrier.attempts(id)).toMatchObject([{ outcome: 'COMPLETED', durationSec: 3 }]);
    expect(await deliverReports(deps())).toBe(0);
  });

  test('a report of an attempt that has ended, or whose workflow is gone, is off the list and changes nothing', async () => {
    const ended = await carrier.place();
    const endedAttempt = await carrier.attemptOnTheLine(ended);
    await carrier.report(ended, 'COMPLETED');
    const gone = await carrier.place();
    const goneAttempt = await carrier.attemptOnTheLine(gone);
    await carrier.workflow(gone).terminate('by the test');
    for (const { id, externalCallId } of [endedAttempt, goneAttempt]) {
      const report = { externalCallId: externalCallId ?? '', durationSec: null, failureReason: null } as const;
      await carrier.receive({ ...report, status: 'FAILED', completedAt: new Date() }, id);
    }
    await aMinutePasses();
    expect(await deliverReports(deps())).toBe(0);
    const undelivered = carrier.db.selectFrom('provider_reports').select('id').where('delivered_at', 'is', null);
    expect(await undelivered.execute()).toEqual([]);
    expect(await carrier.untilStatus(ended, 'COMPLETED')).toMatchObject({ lastError: null });
  });

  test('a report of a call that nobody knows waits for its attempt', async () => {
    const report = { externalCallId: 'unknown', status: 'BUSY', durationSec: null, failureReason: null } as const;
    await carrier.receive({ ...report, completedAt: new Date() }, null);
    await aMinutePasses();
    expect(await deliverReports(deps())).toBe(0);
    expect(await carrier.db.selectFrom('provider_reports').select('delivered_at').execute()).toEqual([
      { delivered_at: null },
    ]);
  });
});

describe('telling of grants again', () => {
  /** Both slots taken by calls on the line, and one call that waits. */
  async function fullWithOneWaiting() {
    const live = [await carrier.place(), await carrier.place()] as const;
    for (const id of live) await carrier.attemptOnTheLine(id);
    const waiting = await carrier.place();
    return { live, waiting, waitingAttemptId: await carrier.untilWaiting(waiting) };
  }
  const ticketOf = async (callId: string) => ({ callId, attemptId: (await carrier.attemptOnTheLine(callId)).id });

  test('brings a grant to the workflow that never heard of it; told twice it is one', async () => {
    const { live, waiting } = await fullWithOneWaiting();
    // The slot is given on, and whoever gave it dies before the signal.
    const attempt = await carrier.attemptOnTheLine(live[0]);
    const report = { outcome: 'COMPLETED', ended_at: new Date() } as const;
    await carrier.db.updateTable('attempts').set(report).where('id', '=', attempt.id).execute();
    const { grants } = await carrier.semaphore.release({ callId: live[0], attemptId: attempt.id });
    expect(grants).toMatchObject([{ callId: waiting }]);
    expect(await resendGrants(deps())).toBe(0);

    await aMinutePasses();
    await Promise.all([resendGrants(deps()), resendGrants(deps())]);
    expect(await carrier.attemptOnTheLine(waiting)).toMatchObject({ slot: attempt.slot });
    await aMinutePasses();
    expect(await resendGrants(deps())).toBe(0);
    expect(carrier.provider.dials).toHaveLength(3);
  });

  test('a grant to a workflow that is gone goes on to the next who waits', async () => {
    const { live, waiting } = await fullWithOneWaiting();
    const next = await carrier.place();
    await carrier.untilWaiting(next);
    await carrier.workflow(waiting).terminate('by the test');
    await carrier.report(live[0], 'COMPLETED');
    await aMinutePasses();
    await resendGrants(deps());
    await carrier.attemptOnTheLine(next);
    expect(await carrier.slotsHeld()).toBe(2);
  });

  test('a grant to an attempt that ended while it waited is given back, though its call’s workflow runs', async () => {
    const { live, waiting, waitingAttemptId } = await fullWithOneWaiting();
    // A process took an earlier attempt of the call off the record, and died before it took it out of Redis's queue.
    const stray = { callId: waiting, attemptId: randomUUID() };
    const row = await carrier.db
      .selectFrom('attempts')
      .selectAll()
      .where('id', '=', waitingAttemptId)
      .executeTakeFirstOrThrow();
    await carrier.db
      .insertInto('attempts')
      .values({ ...row, id: stray.attemptId, ended_at: new Date(), outcome: 'CANCELED' })
      .execute();
    await carrier.semaphore.acquire(stray, 0);
    const { slot } = await carrier.attemptOnTheLine(live[0]);
    await carrier.report(live[0], 'COMPLETED');
    await waitUntil('the stray has the slot', async () =>
      (await carrier.semaphore.unclaimed(0)).some(({ attemptId }) => attemptId === stray.attemptId),
    );

    await aMinutePasses();
    await resendGrants(deps());
    expect(await carrier.attemptOnTheLine(waiting)).toMatchObject({ id: waitingAttemptId, slot });
  });

  test('a raised limit is taken over, and its new slots are told at once', async () => {
    const { live, waiting } = await fullWithOneWaiting();
    const raised = new Semaphore(carrier.redis, carrier.db, 3, createLog('test', 'silent'));
    expect(await resendGrants({ ...deps(), semaphore: raised })).toBe(1);
    expect(await carrier.attemptOnTheLine(waiting)).toMatchObject({ slot: 3 });
    for (const id of live) expect(await carrier.call(id)).toMatchObject({ status: 'IN_PROGRESS' });
  });

  test('a slot that is held and claimed is left alone, however long its call lasts', async () => {
    const { live } = await fullWithOneWaiting();
    const before = await Promise.all(live.map(ticketOf));
    await aMinutePasses();
    expect(await resendGrants(deps())).toBe(0);
    expect(await Promise.all(live.map(ticketOf))).toEqual(before);
    expect(await carrier.slotsHeld()).toBe(2);
  });
});
