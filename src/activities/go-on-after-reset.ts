import { sql } from 'kysely';

import { activeStatuses, isFinal, retryableStatuses } from '../call/transitions';
import { freshUnlessAhead, updateCall } from '../store/calls';
import type { CallRow, DatabaseTransaction } from '../store/database';
import type { ActivityDeps } from '.';

/**
 * An operator reset the call's workflow: a call that has ended starts again, but for one that ended well; any other goes
 * on.
 *
 * @param call its row, locked
 * @param newRound the workflow is at its end and will not be retried: another has to be started
 * @returns the call as it goes on, or undefined for one that does not
 * @throws the violation of `calls_active_number` where another call has the number by now
 */
export async function goOnAfterReset(
  deps: Pick<ActivityDeps, 'defaultExpirySeconds'>,
  trx: DatabaseTransaction,
  call: CallRow,
  { newRound = false }: { newRound?: boolean } = {},
): Promise<CallRow | undefined> {
  const events = [{ type: 'call.updated', reason: 'reset' }] as const;
  if (!isFinal(call.status)) return updateCall(trx, call.id, { from: activeStatuses, set: {}, events });
  return updateCall(trx, call.id, {
    from: retryableStatuses,
    to: 'PENDING',
    set: {
      ended_at: null,
      expires_at: freshUnlessAhead(deps.defaultExpirySeconds),
      ...(newRound && { round: sql`round + 1`, handoff: 'START', handoff_at: sql`now()` }),
    },
    events,
  });
}
