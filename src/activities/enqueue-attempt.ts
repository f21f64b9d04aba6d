import { isFinal, retryableStatuses } from '../call/transitions';
import type { FinalStatus } from '../call/call';
import { signalGrants } from '../slots/signal-grants';
import { dropWaitingAttempts, insertWaitingAttempt, isResetRun } from '../store/attempts';
import { freshUnlessAhead, updateCall } from '../store/calls';
import { violatedUnique, type CallRow, type DatabaseTransaction } from '../store/database';
import type { ActivityDeps } from '.';
import { expireCall } from './expire-call';
import type { AttemptIds, Over, Place } from './steps';

/** The run: its id, the id its chain of retries began with, and its place in the chain. */
interface EnqueueInput extends AttemptIds {
  runId: string;
  firstRunId: string;
  runNumber: number;
}

/**
 * Joins the queue: in PostgreSQL first, from where Redis can be told again, then in Redis.
 *
 * @returns the slot, where one was free; WAITING: a signal will bring it; OVER: there is nothing left to do
 */
export function enqueueAttempt(deps: ActivityDeps) {
  const { semaphore, log } = deps;
  return async (input: EnqueueInput): Promise<Place> => {
    const joined = await joinOrOver(deps, input);
    if ('kind' in joined) return joined;
    if (joined.call.expires_at <= new Date()) {
      const expired = await expireCall(deps)(input);
      if (expired.kind === 'OVER') return expired;
    }
    for (const attemptId of joined.dropped) {
      await signalGrants(deps, (await semaphore.release({ callId: input.callId, attemptId })).grants);
    }
    const { value: slot, grants } = await semaphore.acquire(input, joined.call.queue_seq);
    await signalGrants(
      deps,
      grants.filter((grant) => grant.attemptId !== input.attemptId),
    );
    const place: Place = slot > 0 ? { kind: 'GRANTED', slot } : { kind: 'WAITING' };
    log.debug(
      { callId: input.callId, attempt: input.runNumber, slot },
      slot > 0 ? 'slot granted' : 'waiting for a slot',
    );
    return place;
  };
}

/** An operator's reset of the workflow starts an ended call again, but for one that ended well. */
function reopen(deps: ActivityDeps, trx: DatabaseTransaction, callId: string): Promise<CallRow | undefined> {
  return updateCall(trx, callId, {
    from: retryableStatuses,
    to: 'PENDING',
    set: { ended_at: null, expires_at: freshUnlessAhead(deps.defaultExpirySeconds) },
    events: [{ type: 'call.updated', reason: 'reset' }],
  });
}

interface Joined {
  call: CallRow;
  /** Attempts of the call that waited before and do no more. */
  dropped: string[];
}

async function joinOrOver(deps: ActivityDeps, input: EnqueueInput): Promise<Joined | Over> {
  try {
    return await join(deps, input);
  } catch (error) {
    // A reset call would be active again, and its number has another call by now.
    if (violatedUnique(error) !== 'calls_active_number') throw error;
    return { kind: 'OVER', status: 'SUPERSEDED' };
  }
}

function join(deps: ActivityDeps, input: EnqueueInput): Promise<Joined | Over> {
  const { callId, round, attemptId } = input;
  return deps.db.transaction().execute(async (trx) => {
    let call = await trx.selectFrom('calls').selectAll().where('id', '=', callId).forUpdate().executeTakeFirst();
    if (call?.round !== round) return { kind: 'OVER', status: 'SUPERSEDED' };
    if (isFinal(call.status)) {
      const reopened = (await isResetRun(trx, input)) ? await reopen(deps, trx, callId) : undefined;
      if (reopened === undefined) return { kind: 'OVER', status: call.status as FinalStatus };
      call = reopened;
    }
    // The workflow runs: whoever is about to start it again need not.
    if (call.handoff === 'START') {
      await trx.updateTable('calls').set({ handoff: null, handoff_at: null }).where('id', '=', callId).execute();
    }
    if (call.next_attempt_at !== null) {
      await updateCall(trx, callId, { from: ['PENDING'], set: { next_attempt_at: null }, events: [] });
    }
    // A run that was reset, or died before its first step was recorded, may have left another attempt waiting.
    const dropped = await dropWaitingAttempts(trx, callId, attemptId);
    await insertWaitingAttempt(trx, { ...input, id: attemptId, queueSeq: call.queue_seq });
    return { call, dropped };
  });
}
