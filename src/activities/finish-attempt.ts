import { sql, type UpdateObject } from 'kysely';

import { callStatuses, type CallStatus } from '../call/call';
import { finalEventTypes } from '../call/event';
import { activeStatuses } from '../call/transitions';
import { signalGrants } from '../slots/signal-grants';
import { endAttempt } from '../store/attempts';
import { findCall, updateCall } from '../store/calls';
import type { DatabaseTransaction, Schema } from '../store/database';
import type { NewEvent } from '../store/call-events';
import { attemptOf } from '../store/rows';
import type { ActivityDeps } from '.';
import type { Finish, Finished } from './steps';

/**
 * Writes down how an attempt ended and what becomes of its call, then gives the slot to whoever waits longest. Safe
 * twice: the record changes once, and a slot given back is not given back again.
 *
 * @returns the call's status by the record, which has the last word: a call canceled meanwhile stays canceled
 */
export function finishAttempt(deps: ActivityDeps) {
  const { db, semaphore, log } = deps;
  return async (finish: Finish): Promise<Finished> => {
    await db.transaction().execute((trx) => recordEnd(trx, finish));
    const call = await findCall(db, finish.callId);
    const { value: slot, grants } = await semaphore.release(finish);
    await signalGrants(deps, grants);

    // In progress again: by another attempt, so this run has no say any more.
    const status = call?.round !== finish.round || call.status === 'IN_PROGRESS' ? 'SUPERSEDED' : call.status;
    const { outcome, failureReason } = finish.end;
    log.info({ callId: finish.callId, attempt: call?.attempts, slot, outcome, failureReason, status }, 'attempt ended');
    return { status };
  };
}

async function recordEnd(trx: DatabaseTransaction, finish: Finish): Promise<void> {
  // The call's row first, as everywhere: two who lock the same rows in one order never wait for each other in a ring.
  await trx.selectFrom('calls').select('id').where('id', '=', finish.callId).forUpdate().execute();
  const ended = await endAttempt(trx, finish.attemptId, finish.end);
  // An attempt that never began is no event: nothing was on the line.
  const attemptEvents: NewEvent[] =
    ended?.started_at == null ? [] : [{ type: 'attempt.ended', attempt: attemptOf(ended) }];

  const { status, set } = await verdictOnCall(trx, finish);
  const eventType = status === 'PENDING' ? undefined : finalEventTypes[status];
  const changed = await updateCall(trx, finish.callId, {
    // Only the run whose attempt is in progress may decide; a cancel may also come between two attempts.
    from: finish.verdict === 'CANCELED' ? activeStatuses : ['IN_PROGRESS'],
    round: finish.round,
    to: status,
    set: { ...set, ...(ended?.external_call_id != null && { external_call_id: ended.external_call_id }) },
    ...(finish.verdict !== 'CANCELED' && { when: () => sql<boolean>`${ended !== undefined}` }),
    events: [...attemptEvents, ...(eventType === undefined ? [] : [{ type: eventType }])],
  });
  if (changed === undefined && attemptEvents.length > 0) {
    // The call was canceled, or started again, while this attempt was on the line: its end is told all the same.
    await updateCall(trx, finish.callId, { from: callStatuses, set: {}, events: attemptEvents });
  }
}

type EndedStatus = Exclude<CallStatus, 'IN_PROGRESS'>;

async function verdictOnCall(
  trx: DatabaseTransaction,
  { end, verdict, retryInSeconds, callId }: Finish,
): Promise<{ status: EndedStatus; set: UpdateObject<Schema, 'calls'> }> {
  const lastError = end.failureReason === null ? end.outcome : `${end.outcome}: ${end.failureReason}`;
  switch (verdict) {
    case 'COMPLETED':
      return { status: 'COMPLETED', set: { ended_at: sql`now()`, last_error: null } };
    case 'FAILED':
      return { status: 'FAILED', set: { ended_at: sql`now()`, last_error: lastError } };
    case 'CANCELED':
      return { status: 'CANCELED', set: { ended_at: sql`now()`, next_attempt_at: null } };
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
