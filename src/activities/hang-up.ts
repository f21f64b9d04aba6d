import { ApplicationFailure } from '@temporalio/common';

import type { AttemptIds } from '../call/attempt-end';
import { withdrawCall } from '../intake/change-call';
import { findAttempt } from '../store/attempts';
import { findReport } from '../store/provider-reports';
import type { ActivityDeps } from '.';

type HangUpDeps = Pick<ActivityDeps, 'db' | 'provider' | 'log'>;

/**
 * The workflow was canceled. Where the call is still active by the record, an operator did it: the call is CANCELED at
 * once, as by the API, and then got off the line.
 *
 * @returns as `getOffTheLine`, which also says what it throws
 */
export function hangUp(deps: HangUpDeps) {
  const offTheLine = getOffTheLine(deps);
  return async (ids: AttemptIds): Promise<{ offTheLine: boolean }> => {
    await withdrawCall(deps.db, ids, 'workflow canceled');
    return offTheLine(ids);
  };
}

/**
 * Gets an attempt off the line.
 *
 * @returns whether it is known to be off the line; false where nobody can tell: the provider cannot hang up, or never told
 *   us its id of the call
 * @throws ApplicationFailure, retryable, while the line is still live; or while the provider is away
 */
export function getOffTheLine({ db, provider, log }: HangUpDeps) {
  return async ({ callId, attemptId }: AttemptIds): Promise<{ offTheLine: boolean }> => {
    const attempt = await findAttempt(db, attemptId);
    if (attempt?.started_at == null || attempt.ended_at !== null) return { offTheLine: true };
    if (await findReport(db, attemptId)) return { offTheLine: true };
    if (attempt.external_call_id === null) return { offTheLine: !attempt.in_doubt };

    if (!(await provider.hangUp(attempt.external_call_id))) return { offTheLine: false };
    log.info({ callId, attempt: attempt.number, externalCallId: attempt.external_call_id }, 'hung up');
    const state = await provider.lookUp(attempt.external_call_id);
    if (state.kind === 'LIVE') throw ApplicationFailure.retryable('the line is still live', 'StillOnTheLine');
    return { offTheLine: true };
  };
}
