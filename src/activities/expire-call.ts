import { sql } from 'kysely';

import type { AttemptIds } from '../call/attempt-end';
import { isFinal } from '../call/transitions';
import { overStatus } from '../call/workflow-messages';
import { giveBack } from '../slots/signal-grants';
import { dropWaitingAttempts } from '../store/attempts';
import { findCall, updateCall } from '../store/calls';
import type { ActivityDeps } from '.';
import type { Over } from './steps';

/**
 * Ends a PENDING call whose time has passed by PostgreSQL's clock, and leaves the queue.
 *
 * @returns OVER, or the expiry the record has where it has not come yet
 */
export function expireCall(deps: ActivityDeps) {
  const { db, log } = deps;
  return async ({ callId, round, attemptId }: AttemptIds): Promise<Over | { kind: 'NOT_YET'; expiresAt: string }> => {
    await db.transaction().execute(async (trx) => {
      const expired = await updateCall(trx, callId, {
        from: ['PENDING'],
        round,
        to: 'EXPIRED',
        set: { ended_at: sql`now()`, next_attempt_at: null },
        when: (eb) => eb('expires_at', '<=', sql<Date>`now()`),
        events: [{ type: 'call.expired' }],
      });
      if (expired) {
        await dropWaitingAttempts(trx, callId);
        log.info({ callId, attempt: expired.attempts }, 'call expired');
      }
    });
    const call = await findCall(db, callId);
    if (call?.round === round && !isFinal(call.status)) {
      return { kind: 'NOT_YET', expiresAt: call.expires_at.toISOString() };
    }
    await giveBack(deps, { callId, attemptId });
    return { kind: 'OVER', status: overStatus(call, round) };
  };
}
