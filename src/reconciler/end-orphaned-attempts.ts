import type { Client } from '@temporalio/client';

import type { AttemptEnd, AttemptIds, Finish, Finished } from '../call/attempt-end';
import { withdrawCall } from '../intake/change-call';
import { deliverReport } from '../intake/provider-reports';
import type { Logger } from '../log';
import { attemptInHand } from '../slots/attempt-in-hand';
import { lockCall, updateCall } from '../store/calls';
import type { Database } from '../store/database';
import { adoptAttempt, listLiveAttempts, readLine, type LiveAttempt } from '../store/orphans';
import { endOf, findReport } from '../store/provider-reports';
import { listCarriedOn } from './listed-runs';
import { wasWithdrawn, workflowOfCall } from './workflow-of-call';

export interface OrphanDeps {
  db: Database;
  temporal: Client;
  log: Logger;
  maxCallSeconds: number;
  getOffTheLine: (ids: AttemptIds) => Promise<{ offTheLine: boolean }>;
  finishAttempt: (finish: Finish) => Promise<Finished>;
}

type Owner =
  | { kind: 'ALIVE' }
  /** Nobody will end this attempt, and the call is not wanted any more. */
  | { kind: 'WITHDRAWN'; reason: string }
  /** Nobody will end it, and the call goes on: another run waits for this one to be off the line, or one is started. */
  | { kind: 'LEFT'; reason: string };

/**
 * Ends attempts whose run is proven gone, at most as many as there are slots: hangs up what is still live, writes down
 * the end, gives the slot back. A slot is never taken because time passed, but for a call past MAX_CALL_SECONDS that
 * nobody can ask about or hang up.
 *
 * @returns how many attempts and calls were ended
 */
export async function endOrphanedAttempts(deps: OrphanDeps): Promise<number> {
  let mended = 0;
  const all = await listLiveAttempts(deps.db);
  const carriedOn = await listCarriedOn(deps, all);
  for (const live of all.filter(({ callId }) => !carriedOn.has(callId))) {
    try {
      const owner = await ownerOf(deps, live);
      if (owner.kind !== 'ALIVE' && (await endOrphan(deps, live, owner))) mended++;
    } catch (error) {
      // One that cannot be looked at keeps none of the others from being ended.
      deps.log.warn({ callId: live.callId, err: error }, 'attempt in progress not looked at; the next round will');
    }
  }
  return mended;
}

async function ownerOf(deps: OrphanDeps, live: LiveAttempt): Promise<Owner> {
  const { callId, round, attemptId, runId } = live;
  const workflow = await workflowOfCall(deps.temporal, callId);
  if (workflow.kind === 'CLOSED') {
    return { kind: wasWithdrawn(workflow) ? 'WITHDRAWN' : 'LEFT', reason: `workflow ${workflow.how}` };
  }
  // Ended meanwhile, as it does before its workflow goes on to the next run: nobody need be asked.
  if (workflow.runId === runId || (await readLine(deps.db, attemptId)) === undefined) return { kind: 'ALIVE' };
  // Reset to a point after the attempt began, the workflow carries on with it.
  if ((await attemptInHand(deps.temporal, callId)) === attemptId) {
    await adopt(deps, live, workflow.runId);
    return { kind: 'ALIVE' };
  }
  return { kind: 'LEFT', reason: workflow.round === round ? 'workflow reset' : 'started again' };
}

/** A report may have been signalled to the earlier run, and left out by the reset: it is told again. */
async function adopt(deps: OrphanDeps, { callId, attemptId }: LiveAttempt, runId: string): Promise<void> {
  const adopted = await deps.db.transaction().execute(async (trx) => {
    await lockCall(trx, callId);
    if (!(await adoptAttempt(trx, attemptId, runId))) return false;
    const events = [{ type: 'call.updated', reason: 'workflow reset: its attempt goes on' }] as const;
    await updateCall(trx, callId, { from: ['IN_PROGRESS', 'CANCELED'], set: {}, events });
    return true;
  });
  if (adopted) await deliverReport(deps, attemptId, { late: true });
}

/**
 * What is not surely off the line keeps its slot; but a call that was withdrawn is CANCELED whatever becomes of its line,
 * as by the API's cancel.
 *
 * @returns whether something was ended
 */
async function endOrphan(
  deps: OrphanDeps,
  live: LiveAttempt,
  { kind, reason }: Exclude<Owner, { kind: 'ALIVE' }>,
): Promise<boolean> {
  const { callId, round, attemptId } = live;
  const ids = { callId, round, attemptId };
  // Read before the line is looked at: a dial that is still under way changes it, and keeps the attempt from being ended.
  const line = await readLine(deps.db, attemptId);
  // A run writes down its attempt's end before it closes: where the run is gone and the row still open, nobody will.
  if (line === undefined) return false;
  const report = await findReport(deps.db, attemptId);
  if (report === undefined && !(await isDown(deps, ids, line.quietSeconds))) {
    return kind === 'WITHDRAWN' && (await withdrawCall(deps.db, ids, reason));
  }
  const end: AttemptEnd =
    report === undefined ? { outcome: 'CANCELED', failureReason: reason, durationSec: null } : endOf(report);
  const verdict = end.outcome === 'COMPLETED' ? 'COMPLETED' : kind === 'LEFT' ? 'RETRY' : 'CANCELED';
  const mend = { reason, lineSeen: line.seen };
  const { ended } = await deps.finishAttempt({ ...ids, end, verdict, retryInSeconds: 0, mend });
  if (ended) deps.log.warn({ callId, attemptId, reason }, 'orphaned attempt ended');
  return ended === true;
}

/** @returns whether the attempt is off the line; or, after MAX_CALL_SECONDS, whether nobody can tell */
async function isDown(deps: OrphanDeps, ids: AttemptIds, quietSeconds: number): Promise<boolean> {
  try {
    const { offTheLine } = await deps.getOffTheLine(ids);
    return offTheLine || quietSeconds >= deps.maxCallSeconds;
  } catch (error) {
    const line = 'orphaned attempt still on the line; the next round asks again';
    deps.log.warn({ callId: ids.callId, attemptId: ids.attemptId, err: error }, line);
    return false;
  }
}
