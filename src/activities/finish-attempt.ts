import { sql, type UpdateObject } from 'kysely';
import { Counter } from 'prom-client';

import type { Finish, Finished } from '../call/attempt-end';
import { callStatuses, type CallStatus } from '../call/call';
import { finalEventTypes } from '../call/event';
import { activeStatuses, isFinal } from '../call/transitions';
import { registry } from '../metrics';
import { giveBack } from '../slots/signal-grants';
import { endAttempt, findAttempt } from '../store/attempts';
import { findCall, lockCall, updateCall } from '../store/calls';
import type { AttemptRow, DatabaseTransaction, Schema } from '../store/database';
import { violatedUnique } from '../store/database-errors';
import type { NewEvent } from '../store/call-events';
import { attemptOf } from '../store/rows';
import type { ActivityDeps } from '.';
import { goOnAfterReset } from './go-on-after-reset';

type FinishDeps = Pick<ActivityDeps, 'db' | 'temporal' | 'semaphore' | 'log' | 'defaultExpirySeconds'>;

const attemptsEnded = new Counter({
  name: 'orchestrator_attempts_total',
  help: 'Attempts that began and have ended, by outcome; each is counted by the process that wrote its end down',
  labelNames: ['outcome'],
  registers: [registry],
});

/**
 * Writes down how an attempt ended and what becomes of its call, then gives the slot to whoever waits longest. Safe
 * twice: the record changes once, and a slot given back is not given back again.
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
    const call = await findCall(db, finish.callId);
    // In progress again: by another attempt, so this run has no say any more.
    const status = call?.round !== finish.round || call.status === 'IN_PROGRESS' ? 'SUPERSEDED' : call.status;
    if (finish.mend !== undefined && !ended) return { status, ended };

    const slot = await giveBack(deps, finish);
    const { outcome, failureReason } = finish.end;
    log.info({ callId: finish.callId, attempt: call?.attempts, slot, outcome, failureReason, status }, 'attempt ended');
    return { status, ended };
  };
}

/** @returns the attempt, where it ended by this */
async function recordEnd(trx: DatabaseTransaction, finish: Finish): Promise<AttemptRow | undefined> {
  const { callId, attemptId, verdict, end, mend } = finish;
  const call = await lockCall(trx, callId);
  const ended = await endAttempt(trx, attemptId, end, mend?.lineSeen);
  if (mend !== undefined && ended === undefined) return undefined;

  const reason = mend?.reason ?? (end.late ? 'provider report delivered late' : undefined);
  // A call that was withdrawn before its line could be hung up was told why then.
  const told = call?.status === 'CANCELED' && call.last_error === reason;
  // An attempt that never began is no event: nothing was on the line.
  const attemptEvents: NewEvent[] =
    ended?.started_at == null
      ? []
      : [
          ...(reason === undefined || told ? [] : [{ type: 'call.updated', reason } as const]),
          { type: 'attempt.ended', attempt: attemptOf(ended) },
        ];

  const { status, set } = await verdictOnCall(trx, finish);
  const eventType = status === 'PENDING' ? undefined : finalEventTypes[status];
  const changed = await updateCall(trx, callId, {
    // Only the run whose attempt is in progress may decide; a cancel may also come between two attempts.
    from: verdict === 'CANCELED' ? activeStatuses : ['IN_PROGRESS'],
    round: finish.round,
    to: status,
    set: { ...set, ...(ended?.external_call_id != null && { external_call_id: ended.external_call_id }) },
    ...(verdict !== 'CANCELED' && { when: () => sql<boolean>`${ended !== undefined}` }),
    events: [...attemptEvents, ...(eventType === undefined ? [] : [{ type: eventType }])],
  });
  if (changed === undefined && attemptEvents.length > 0) {
    // The call was canceled, or started again, while this attempt was on the line: its end is told all the same.
    await updateCall(trx, callId, { from: callStatuses, set: {}, events: attemptEvents });
  }
  return ended;
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

type EndedStatus = Exclude<CallStatus, 'IN_PROGRESS'>;

async function verdictOnCall(
  trx: DatabaseTransaction,
  { end, verdict, retryInSeconds, callId, mend }: Finish,
): Promise<{ status: EndedStatus; set: UpdateObject<Schema, 'calls'> }> {
  const lastError = end.failureReason === null ? end.outcome : `${end.outcome}: ${end.failureReason}`;
  switch (verdict) {
    case 'COMPLETED':
      return { status: 'COMPLETED', set: { ended_at: sql`now()`, last_error: null } };
    case 'FAILED':
      return { status: 'FAILED', set: { ended_at: sql`now()`, last_error: lastError } };
    case 'CANCELED':
      return {
        status: 'CANCELED',
        set: { ended_at: sql`now()`, next_attempt_at: null, ...(mend && { last_error: mend.reason }) },
      };
    case 'RETRY':
      break;
  }
  const call = await trx
    .selectFrom('calls')
    .select(sql<boolean>`expires_at <= now()`.as('expired'))
    .where('id', '=', callId)
    .executeTakeFirst();
  if (call?.expired) return { status: 'EXPIRED', set: { ended_at: sql`now()`, last_error: lastError } };
  const nextAttemptAt = sql<Date>`now() + make_interval(secs => ${retryInSeconds})`;
  return { status: 'PENDING', set: { next_attempt_at: nextAttemptAt, last_error: lastError } };
}
