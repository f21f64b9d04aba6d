import type { AttemptIds } from '../call/attempt-end';
import { activeStatuses, isFinal } from '../call/transitions';
import { overStatus } from '../call/workflow-messages';
import { giveBack, signalGrants } from '../slots/signal-grants';
import { findAttempt, joinQueue, type Joined } from '../store/attempts';
import { startedLate } from '../store/handoffs';
import { lockCall, updateCall } from '../store/calls';
import { violatedUnique } from '../store/database-errors';
import type { ActivityDeps } from '.';
import { goOnAfterReset } from './go-on-after-reset';
import { expireCall } from './expire-call';
import type { Over, Place } from './steps';

interface EnqueueInput extends AttemptIds {
  runId: string;
  /** The run that this one repeats, where an operator reset the workflow; else the run itself. */
  originalRunId: string;
  /** Its place in the chain of retries: 1 for the first. */
  runNumber: number;
  /** Whoever accepted the call did not start the workflow. */
  startedLate?: boolean;
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
    for (const attemptId of joined.dropped) await giveBack(deps, { callId: input.callId, attemptId });
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

async function joinOrOver(deps: ActivityDeps, input: EnqueueInput): Promise<Joined | Over> {
  try {
    return await join(deps, input);
  } catch (error) {
    // A reset call would be active again, and its number has another call by now.
    if (violatedUnique(error) !== 'calls_active_number') throw error;
    return { kind: 'OVER', status: 'SUPERSEDED' };
  }
}

async function join(deps: ActivityDeps, input: EnqueueInput): Promise<Joined | Over> {
  const usual = input.runId === input.originalRunId && !input.startedLate;
  const joined = usual ? await joinQueue(deps.db, input) : undefined;
  return joined ?? joinAgain(deps, input);
}

/** By a run that was reset, or that somebody else had to start, or of a call that may be over. */
function joinAgain(deps: ActivityDeps, input: EnqueueInput): Promise<Joined | Over> {
  const { callId, round, attemptId } = input;
  return deps.db.transaction().execute(async (trx) => {
    const call = await lockCall(trx, callId);
    if (call?.round !== round) return { kind: 'OVER', status: 'SUPERSEDED' };
    // A run that was reset says so once, with its first step: what happens to the call after that holds.
    const reset = input.runId !== input.originalRunId && (await findAttempt(trx, attemptId)) === undefined;
    const goesOn = reset ? await goOnAfterReset(deps, trx, call) : isFinal(call.status) ? undefined : call;
    if (goesOn === undefined) return { kind: 'OVER', status: overStatus(call, round) };
    if (input.startedLate && goesOn.handoff === 'START') {
      await updateCall(trx, callId, { from: activeStatuses, set: {}, events: [startedLate] });
    }
    const joined = await joinQueue(trx, input);
    if (joined === undefined) throw new Error(`call ${callId} goes on, and cannot join the queue`);
    return joined;
  });
}
