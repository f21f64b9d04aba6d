import type { Finish, Finished } from '../call/attempt-end';
import { isFinal } from '../call/transitions';
import { attemptsEnded } from '../intake/end-completed';
import { giveBack } from '../slots/signal-grants';
import { lateReport, recordEnd } from '../store/attempt-ends';
import { findAttempt } from '../store/attempts';
import { findCall, lockCall, tellOnce } from '../store/calls';
import { violatedUnique } from '../store/database-errors';
import type { ActivityDeps } from '.';
import { goOnAfterReset } from './go-on-after-reset';

type FinishDeps = Pick<ActivityDeps, 'db' | 'temporal' | 'semaphore' | 'log' | 'defaultExpirySeconds'>;

/**
 * Writes down how an attempt ended and what becomes of its call, then gives the slot to whoever waits longest. Safe
 * twice: the record changes once, and a slot given back is not given back again. Of a call that went well both are
 * done where its report came (src/intake/end-completed.ts), unless that was cut off.
 *
 * @returns the call's status by the record, which has the last word: a call canceled meanwhile stays canceled
 */
export function finishAttempt(deps: FinishDeps) {
  const { db, log } = deps;
  return async (finish: Finish): Promise<Finished> => {
    const attempt = await db.transaction().execute((trx) => recordEnd(trx, finish));
    if (attempt?.started_at != null) attemptsEnded.inc({ outcome: finish.end.outcome });
    const ended = attempt !== undefined;
    if (!ended && finish.resetRunId !== undefined) await repeatEnd(deps, finish, finish.resetRunId);
    if (!ended && finish.end.late)
      await tellOnce(db, finish.callId, `report-told-late/${finish.attemptId}`, lateReport);
    const call = await findCall(db, finish.callId);
    // In progress again: by another attempt, so this run has no say any more.
    const status = call?.round !== finish.round || call.status === 'IN_PROGRESS' ? 'SUPERSEDED' : call.status;
    if (finish.mend !== undefined && !ended) return { status, ended };

    const slot = await giveBack(deps, finish);
    const { outcome, failureReason } = finish.end;
    const line = { callId: finish.callId, attempt: call?.attempts, slot, outcome, failureReason, status };
    log[ended ? 'info' : 'debug'](line, 'attempt ended');
    return { status, ended };
  };
}

/**
 * A run that was reset to after its attempt's end comes to the same end again, which the record has: the call starts
 * again by it, with its next attempt, as an operator who resets an ended call wants. An end that the run itself wrote
 * down, in a try that was lost, is not such a one.
 */
async function repeatEnd(deps: FinishDeps, { callId, round, attemptId, verdict }: Finish, runId: string) {
  if (verdict === 'COMPLETED' || verdict === 'CANCELED') return;
  try {
    await deps.db.transaction().execute(async (trx) => {
      const call = await lockCall(trx, callId);
      const attempt = await findAttempt(trx, attemptId);
      if (call?.round !== round || !isFinal(call.status) || attempt?.run_id === runId) return;
      await goOnAfterReset(deps, trx, call, { newRound: verdict === 'FAILED' });
    });
  } catch (error) {
    // Its number has another call by now.
    if (violatedUnique(error) !== 'calls_active_number') throw error;
  }
}
