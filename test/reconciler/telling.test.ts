import { randomUUID } from 'node:crypto';

import { sql } from 'kysely';

import { cancelCall, editCall } from '../../src/intake/change-call';
import { Starter } from '../../src/intake/starter';
import { createLog } from '../../src/log';
import { giveBackSlots } from '../../src/reconciler/give-back-slots';
import { storeReport } from '../../src/store/provider-reports';
import { readReconcilerRecord } from '../../src/store/reconciler-mends';
import { Carrier } from '../support/carrier';

/** What the reconciler mends it tells: in the call's timeline, once, and only where it did mend something. */
let carrier: Carrier;
const log = createLog('test', 'silent');

beforeEach(async () => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '1', RETRY_INITIAL_SECONDS: '60' });
});
afterEach(() => carrier.close());

/** Orders, reports, grants and ends are as old as if a minute had gone by. */
async function aMinutePasses(): Promise<void> {
  const earlier = new Date(Date.now() - 60_000);
  await carrier.db.updateTable('calls').set({ handoff_at: earlier }).where('handoff', 'is not', null).execute();
  await carrier.db.updateTable('provider_reports').set({ received_at: earlier }).execute();
  await carrier.db.updateTable('attempts').set({ ended_at: earlier }).where('ended_at', 'is not', null).execute();
  for (const ticket of await carrier.redis.zrange('{slots}:unclaimed', '0', '-1')) {
    await carrier.redis.zincrby('{slots}:unclaimed', -60_000, ticket);
  }
}

const updatesOf = async (id: string) => (await carrier.story(id)).filter((event) => event.startsWith('call.updated'));
const startedLate = 'call.updated: started late: its workflow had not been started';

/** Starts workflows, and dies before it can take the orders off their rows. */
async function sweepAndDie(): Promise<void> {
  const db = carrier.db.withPlugin({
    transformQuery: ({ node }) => {
      if (node.kind === 'UpdateQueryNode') throw new Error('the process died');
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  });
  const starter = new Starter({ db, temporal: carrier.namespace.client, policy: carrier.config, log });
  await expect(starter.sweep({ olderThanSeconds: 0, limit: 10 })).rejects.toThrow('died');
}

describe('a workflow that was not started', () => {
  test('is told of once, however many sweep at once, and before its attempt', async () => {
    const { id } = await carrier.accept();
    await aMinutePasses();
    await Promise.all([1, 2, 3].map(() => carrier.round()));
    expect(await updatesOf(id)).toEqual([startedLate]);
    await carrier.startWorker();
    await carrier.report(id, 'COMPLETED');
    await carrier.untilStatus(id, 'COMPLETED');
    await carrier.round();
    expect((await carrier.story(id)).slice(0, 3)).toEqual(['call.accepted', startedLate, 'attempt.started']);
    expect(await updatesOf(id)).toEqual([startedLate]);
  });

  test('is told of, once, though whoever started it died before it could say so', async () => {
    const row = await carrier.accept();
    await aMinutePasses();
    await sweepAndDie();
    expect(await updatesOf(row.id)).toEqual([]);

    // The workflow's first step takes the order off the row; what comes after it finds nothing to do.
    await carrier.startWorker();
    await carrier.attemptOnTheLine(row.id);
    await carrier.round();
    expect(await updatesOf(row.id)).toEqual([startedLate]);
    await carrier.report(row.id, 'COMPLETED');
  });

  test('a sweep after that death, before any worker looks, tells of it in its place', async () => {
    const row = await carrier.accept();
    await sweepAndDie();
    await aMinutePasses();
    await carrier.round();
    expect(await updatesOf(row.id)).toEqual([startedLate]);
    await carrier.startWorker();
    await carrier.report(row.id, 'COMPLETED');
    expect(await updatesOf(row.id)).toEqual([startedLate]);
  });

  test('one that was started, its order not yet taken off the row, is no news', async () => {
    const row = await carrier.accept();
    await carrier.starter.handOff(row);
    await carrier.db
      .updateTable('calls')
      .set({ handoff: 'START', handoff_at: new Date(0) })
      .execute();
    expect(await carrier.round()).toBe(0);
    expect(await updatesOf(row.id)).toEqual([]);
  });

  test('five hundred of them are started in one round, and told of in far fewer transactions', async () => {
    const rows = await carrier.acceptMany(500);
    await aMinutePasses();
    expect(await carrier.activities.handOffLeftBehind()).toBe(500);
    const { rows: written } = await sql<{ transactions: number }>`
      select count(distinct xmin::text)::integer as transactions from calls where handoff is null`.execute(carrier.db);
    expect(written[0]?.transactions).toBeLessThan(50);
    for (const { id } of [rows[0], rows.at(-1)].filter((row) => row !== undefined)) {
      expect(await updatesOf(id)).toEqual([startedLate]);
    }
  });
});

test('an edit and a cancel that were not told: once each; a cancel that was, or that nobody waits for, is no news', async () => {
  await carrier.startWorker();
  const id = await carrier.place();
  await carrier.report(id, 'BUSY');
  await carrier.untilStatus(id, 'PENDING');
  await editCall(carrier.db, id, { scriptId: 'edited' });
  await aMinutePasses();
  await Promise.all([carrier.round(), carrier.round()]);
  await cancelCall(carrier.db, id);
  await aMinutePasses();
  await Promise.all([carrier.round(), carrier.round()]);
  expect(await carrier.workflowStatus(id)).toBe('CANCELLED');
  expect(await updatesOf(id)).toEqual([
    'call.updated: edited',
    'call.updated: edit told late: its workflow had not heard of it',
    'call.updated: cancel told late: its workflow had not heard of it',
  ]);
  await carrier.db
    .updateTable('calls')
    .set({ handoff: 'CANCEL', handoff_at: new Date(0) })
    .execute();
  expect(await carrier.round()).toBe(0);
  expect(await updatesOf(id)).toHaveLength(3);
});

test('a report that was not delivered: told with the end of its attempt; one that was, is no news', async () => {
  await carrier.startWorker();
  for (const late of [true, false]) {
    const id = await carrier.place();
    const attempt = await carrier.attemptOnTheLine(id);
    if (late) {
      const report = { externalCallId: attempt.externalCallId ?? '', durationSec: 3, failureReason: null } as const;
      // Stored, and the end by it did not come about.
      await storeReport(carrier.db, { ...report, status: 'COMPLETED', completedAt: new Date() }, attempt.id);
      await aMinutePasses();
      await Promise.all([carrier.round(), carrier.round()]);
    } else {
      await carrier.reportOf(attempt, 'COMPLETED');
      await carrier.db.updateTable('provider_reports').set({ delivered_at: null }).execute();
      await aMinutePasses();
      await carrier.round();
    }
    await carrier.untilStatus(id, 'COMPLETED');
    expect((await carrier.story(id)).slice(2)).toEqual([
      ...(late ? ['call.updated: provider report delivered late'] : []),
      'attempt.ended',
      'call.completed',
    ]);
  }
});

test('a grant that was not heard: told with the beginning of its attempt', async () => {
  await carrier.startWorker();
  const live = await carrier.place();
  const { id } = await carrier.attemptOnTheLine(live);
  const waiting = await carrier.place();
  await carrier.untilWaiting(waiting);
  // The slot is given on, and whoever gave it dies before the signal.
  await carrier.db.updateTable('attempts').set({ ended_at: new Date() }).where('id', '=', id).execute();
  expect((await carrier.semaphore.release({ callId: live, attemptId: id })).grants).toHaveLength(1);
  await aMinutePasses();
  await Promise.all([carrier.round(), carrier.round()]);
  await carrier.report(waiting, 'COMPLETED');
  expect((await carrier.story(waiting)).slice(0, 3)).toEqual([
    'call.accepted',
    'call.updated: slot granted late: its workflow had not heard of it',
    'attempt.started',
  ]);
});

test('a slot that its ended attempt left behind: told once; one that is about to be given back is no news', async () => {
  const [left, leaving] = [await carrier.accept(), await carrier.accept()];
  const grants = [left, leaving].map(({ id }) => ({ callId: id, attemptId: randomUUID(), slot: 1 }));
  const attempts = grants.map(({ callId, attemptId }, index) => ({
    ...{ id: attemptId, call_id: callId, round: 1, queue_seq: 1, run_id: 'run', run_number: 1 },
    ended_at: new Date(Date.now() - (index === 0 ? 60_000 : 0)),
  }));
  await carrier.db.insertInto('attempts').values(attempts).execute();
  const deps = { db: carrier.db, temporal: carrier.namespace.client, semaphore: carrier.semaphore, log };
  expect(await giveBackSlots(deps, grants)).toBe(1);
  await giveBackSlots(deps, grants);
  expect(await updatesOf(left.id)).toEqual(['call.updated: slot given back: its attempt had ended']);
  expect(await updatesOf(leaving.id)).toEqual([]);
});

test('what was mended is counted over restarts, and when every duty last came to its end', async () => {
  expect((await readReconcilerRecord(carrier.db)).lastRoundAt).toBeNull();
  const before = Date.now();
  await carrier.accept();
  await aMinutePasses();
  await carrier.round();
  await carrier.accept();
  await aMinutePasses();
  await carrier.round();
  const { mended, lastRoundAt } = await readReconcilerRecord(carrier.db);
  expect(mended).toEqual({
    handOffLeftBehind: 2,
    deliverReports: 0,
    resendGrants: 0,
    expireOverdue: 0,
    endOrphanedAttempts: 0,
    mendWaitingCalls: 0,
    auditSlots: 0,
  });
  expect(lastRoundAt?.getTime()).toBeGreaterThanOrEqual(before - 1_000);

  // A duty that does not get through keeps the time where it was.
  carrier.redis.disconnect();
  await expect(carrier.activities.auditSlots()).rejects.toThrow();
  await carrier.activities.handOffLeftBehind();
  expect((await readReconcilerRecord(carrier.db)).lastRoundAt).toEqual(lastRoundAt);
});
