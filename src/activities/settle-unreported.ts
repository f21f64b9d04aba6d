import { ApplicationFailure } from '@temporalio/common';

import type { AttemptEnd, AttemptIds } from '../call/attempt-end';
import { findAttempt } from '../store/attempts';
import { endOf, findReport } from '../store/provider-reports';
import type { ActivityDeps } from '.';

/**
 * MAX_CALL_SECONDS passed without a report: asks the provider. A call that has ended ends the attempt as it says; one
 * that is live is hung up and fails the attempt; one that nobody knows of fails it as well.
 *
 * @throws ApplicationFailure, retryable, while the line is still live; or while the provider is away
 */
export function settleUnreported({ db, provider, log }: ActivityDeps) {
  return async ({ callId, attemptId }: AttemptIds): Promise<AttemptEnd> => {
    const [attempt, report] = [await findAttempt(db, attemptId), await findReport(db, attemptId)];
    // Its signal was lost or is late; what is stored counts.
    if (report) return endOf(report);
    const externalCallId = attempt?.external_call_id ?? null;
    if (externalCallId === null) return unreported('the provider neither named the call nor reported it');

    const state = await provider.lookUp(externalCallId);
    log.warn(
      { callId, attempt: attempt?.number, externalCallId, state: state.kind },
      'no report in time, provider asked',
    );
    if (state.kind === 'ENDED') {
      return { outcome: state.status, failureReason: state.failureReason, durationSec: state.durationSec };
    }
    const hungUp = await provider.hangUp(externalCallId);
    if (state.kind === 'LIVE') {
      const done = hungUp ? 'hung up' : 'the provider cannot hang up';
      throw ApplicationFailure.retryable(`the line is still live: ${done}, asking again`, 'StillOnTheLine');
    }
    return unreported('no report in time, and the provider does not know the call');
  };
}

function unreported(failureReason: string): AttemptEnd {
  return { outcome: 'UNREPORTED', failureReason, durationSec: null };
}
