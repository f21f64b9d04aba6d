import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';

import type { Activities } from '../activities';

/**
 * Steps that touch only our own stores run within the workflow task: fewer events, less waiting. Retried for as long as it
 * takes; a longer pause is a timer, so that a store that is away does not keep the worker's task slots busy.
 */
export const { enqueueAttempt, finishAttempt, expireCall } = proxyLocalActivities<Activities>({
  startToCloseTimeout: '30s',
  localRetryThreshold: '2s',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});

/** A worker that died is noticed by its silence (`src/start/heartbeats.ts`), long before a step could have ended. */
const heartbeatTimeout = '15s';

/** Talks to the provider; when to give up is the activity's own decision, by the attempt's record. */
export const { dial } = proxyActivities<Activities>({
  summary: 'Claim the slot and dial',
  startToCloseTimeout: '60s',
  heartbeatTimeout,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '1s', maximumInterval: '10s' },
});

/** A slot frees only when its call is known to be off the line, so these are asked for as long as it takes. */
export const { hangUp, settleUnreported } = proxyActivities<Activities>({
  summary: 'Get the call off the line',
  startToCloseTimeout: '60s',
  heartbeatTimeout,
  retry: { initialInterval: '1s', maximumInterval: '30s' },
});
