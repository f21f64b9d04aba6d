import type { Client } from '@temporalio/client';
import { sql } from 'kysely';

import { isFinal } from '../call/transitions';
import { withdrawal } from '../intake/change-call';
import type { Starter } from '../intake/starter';
import type { Logger } from '../log';
import type { Semaphore } from '../slots/semaphore';
import { giveBack } from '../slots/signal-grants';
import { dropWaitingAttempts } from '../store/attempts';
import { lockCall, updateCall, type CallUpdate } from '../store/calls';
import type { CallRow, Database } from '../store/database';
import { listEndedInQueue, listWaitingRuns, readSettledCalls, samplePendingCalls } from '../store/orphans';
import { nextInQueue } from './audit-slots';
import { listCarriedOn, listRuns } from './listed-runs';
import { wakeResetRun } from './wake-reset-run';
import { wasWithdrawn, workflowOfCall } from './workflow-of-call';

export interface MendDeps {
  db: Database;
  temporal: Client;
  semaphore: Semaphore;
  starter: Pick<Starter, 'handOffSoon'>;
  log: Logger;
}

/** How far back closed and reset workflows are looked for at first, by Temporal's list; others are met by the sample. */
const recentMinutes = 15;
/** How far back before the look that came through last: the list lags, and clocks differ. */
const overlapMinutes = 1;
/** Of those that run: the latest. A queue may be of any length. */
const runningAtMost = 1_000;
const sampleSize = 100;
/** Looked at side by side: an operator may end thousands at once. */
const lookedAtAtOnce = 5;
/** Within the time that a duty has; what is left then is the next round's. */
const enoughSeconds = 40;
/** Within so long a workflow takes its ended call out of the queue, and comes to its own end. */
const settledSeconds = 5;

/** What came of a look at one call. LATER: it could not be looked at yet, or not to the end. */
export type Looked = 'WELL' | 'MENDED' | 'LATER';

/**
 * Finds calls that nobody carries on though they wait by the record, or that wait though they have ended. A PENDING call
 * whose workflow was terminated, canceled or timed out ends, as an operator wanted or a limit demanded; whose workflow is
 * closed in another way, or gone, is started again. Looked at are those that Temporal lists as closed or begun since the
 * last look that came through, and a sample of all, so that each is looked at sooner or later however long the queue is.
 *
 * @returns a look that says how many were mended
 */
export function mendWaitingCalls(deps: MendDeps): () => Promise<number> {
  let cameThroughAt = 0;
  return async () => {
    const startedAt = Date.now();
    const since = Math.max(cameThroughAt - overlapMinutes * 60_000, startedAt - recentMinutes * 60_000);
    const { mended, cameThrough } = await lookAtAll(deps, new Date(since).toISOString());
    if (cameThrough) cameThroughAt = startedAt;
    return mended;
  };
}

async function lookAtAll(deps: MendDeps, since: string): Promise<{ mended: number; cameThrough: boolean }> {
  const { db, temporal } = deps;
  // Each condition is one that the embedded server has an index for: of a hundred thousand that run it reads only these.
  const waiting = [
    // A reset terminates the run that it repeats, unless that is closed: then its call has most likely ended.
    ...(await listed(temporal, `ExecutionStatus = 'Terminated' AND CloseTime > '${since}'`)),
    ...(await listed(temporal, `ExecutionStatus = 'TimedOut' AND CloseTime > '${since}'`)),
    ...(await samplePendingCalls(db, sampleSize)),
  ];
  const inQueue = await listWaitingRuns(db, waiting);
  const ended = [
    ...(await listed(temporal, `ExecutionStatus = 'Running' AND ExecutionTime > '${since}'`, runningAtMost)),
    ...inQueue.map(({ callId }) => callId),
    ...(await listEndedInQueue(db, { nextInQueue, olderThanSeconds: settledSeconds })),
  ];
  const carriedOn = await listCarriedOn(deps, inQueue);
  const left = waiting.filter((callId) => !carriedOn.has(callId));
  const rows = await readSettledCalls(db, { waiting: left, ended }, { endedForSeconds: settledSeconds });
  const looked: Looked[] = [];
  const until = Date.now() + enoughSeconds * 1_000;
  for (let from = 0; from < rows.length && Date.now() < until; from += lookedAtAtOnce) {
    looked.push(...(await Promise.all(rows.slice(from, from + lookedAtAtOnce).map((row) => tryToLookAt(deps, row)))));
  }
  return {
    mended: looked.filter((one) => one === 'MENDED').length,
    cameThrough: looked.length === rows.length && !looked.includes('LATER'),
  };
}

async function listed(temporal: Client, condition: string, atMost = Infinity): Promise<string[]> {
  const callIds: string[] = [];
  for await (const { callId } of listRuns(temporal, condition)) {
    callIds.push(callId);
    if (callIds.length === atMost) break;
  }
  return callIds;
}

async function tryToLookAt(deps: MendDeps, row: CallRow): Promise<Looked> {
  try {
    return await lookAt(deps, row);
  } catch (error) {
    // One that cannot be looked at keeps none of the others from being mended.
    deps.log.warn({ callId: row.id, err: error }, 'waiting call not looked at; the next round will');
    return 'LATER';
  }
}

async function lookAt(deps: MendDeps, row: CallRow): Promise<Looked> {
  const workflow = await workflowOfCall(deps.temporal, row.id);
  if (workflow.kind === 'RUNNING') {
    return workflow.reset && workflow.round === row.round ? wakeResetRun(deps, row, workflow.runId) : 'WELL';
  }
  if (isFinal(row.status)) return leaveQueue(deps, row);
  return wasWithdrawn(workflow)
    ? withdraw(deps, row, `workflow ${workflow.how}`)
    : startAgain(deps, row, `workflow ${workflow.how}: started again`);
}

async function withdraw(deps: MendDeps, row: CallRow, reason: string): Promise<Looked> {
  const changed = await change(deps, row, {
    from: ['PENDING'],
    ...withdrawal(reason),
  });
  if (changed === undefined) return 'WELL';
  deps.log.warn({ callId: row.id, reason }, 'workflow ended by others: call canceled');
  return 'MENDED';
}

async function startAgain(deps: MendDeps, row: CallRow, reason: string): Promise<Looked> {
  const changed = await change(deps, row, {
    from: ['PENDING'],
    // In a round of its own: a first round is started once only.
    set: { handoff: 'START', handoff_at: sql`now()`, round: sql`round + 1` },
    events: [{ type: 'call.updated', reason }],
  });
  if (changed === undefined) return 'WELL';
  deps.log.warn({ callId: row.id, reason }, 'workflow ended with its call waiting: started again');
  deps.starter.handOffSoon(changed);
  return 'MENDED';
}

async function leaveQueue(deps: MendDeps, row: CallRow): Promise<Looked> {
  const events = [{ type: 'call.updated', reason: 'left the queue: its workflow had been ended' }] as const;
  const left = await change(deps, row, { from: [row.status], set: {}, events }, { onlyFromQueue: true });
  return left === undefined ? 'WELL' : 'MENDED';
}

/**
 * Changes the call as it was looked at, whatever happened to it meanwhile having raised its event sequence; and takes its
 * waiting attempts off the record and out of the queue.
 *
 * @returns the call as changed, or undefined for one that has moved on
 */
async function change(
  deps: MendDeps,
  row: CallRow,
  update: CallUpdate,
  { onlyFromQueue = false } = {},
): Promise<CallRow | undefined> {
  const { dropped, changed } = await deps.db.transaction().execute(async (trx) => {
    const current = await lockCall(trx, row.id);
    if (current?.event_sequence !== row.event_sequence) return { dropped: [] };
    const left = await dropWaitingAttempts(trx, row.id);
    if (onlyFromQueue && left.length === 0) return { dropped: [] };
    return { dropped: left, changed: await updateCall(trx, row.id, { ...update, round: row.round }) };
  });
  for (const attemptId of dropped) await giveBack(deps, { callId: row.id, attemptId });
  return changed;
}
