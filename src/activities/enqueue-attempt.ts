import { isFinal } from '../call/transitions';
import type { FinalStatus } from '../call/call';
import { signalGrants } from '../slots/signal-grants';
import { dropWaitingAttempts, insertWaitingAttempt } from '../store/attempts';
import { updateCall } from '../store/calls';
import type { CallRow } from '../store/database';
import type { ActivityDeps } from '.';
import { expireCall } from './expire-call';
import type { AttemptIds, Over, Place } from './steps';

/**
 * Joins the queue: in PostgreSQL first, from where Redis can be told again, then in Redis.
 *
 * @returns the slot, where one was free; WAITING: a signal will bring it; OVER: there is nothing left to do
 */
export function enqueueAttempt(deps: ActivityDeps) {
  const { semaphore, log } = deps;
  return async (input: AttemptIds & { number: number }): Promise<Place> => {
    const joined = await join(deps, input);
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
    log.debug({ callId: input.callId, attempt: input.number, slot }, slot > 0 ? 'slot granted' : 'waiting for a slot');
    return place;
  };
}

interface Joined {
  call: CallRow;
  /** Attempts of the call that waited before and do no more. */
  dropped: string[];
}

function join({ db }: ActivityDeps, { callId, round, attemptId }: AttemptIds): Promise<Joined | Over> {
  return db.transaction().execute(async (trx) => {
    const call = await trx.selectFrom('calls').selectAll().where('id', '=', callId).forUpdate().executeTakeFirst();
    if (call?.round !== round) return { kind: 'OVER', status: 'SUPERSEDED' };
    if (isFinal(call.status)) return { kind: 'OVER', status: call.status as FinalStatus };
    // The workflow runs: whoever is about to start it again need not.
    if (call.handoff === 'START') {
      await trx.updateTable('calls').set({ handoff: null, handoff_at: null }).where('id', '=', callId).execute();
    }
    if (call.next_attempt_at !== null) {
      await updateCall(trx, callId, { from: ['PENDING'], set: { next_attempt_at: null }, events: [] });
    }
    // A run that was reset, or died before its first step was recorded, may have left another attempt waiting.
    const dropped = await dropWaitingAttempts(trx, callId, attemptId);
    await insertWaitingAttempt(trx, { id: attemptId, callId, round, queueSeq: call.queue_seq });
    return { call, dropped };
  });
}
