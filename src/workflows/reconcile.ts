import { proxyActivities } from '@temporalio/workflow';

import type { Activities, ReconcilerDuty } from '../activities';

const { deliverReports, expireOverdue, handOffLeftBehind, resendGrants } = proxyActivities<Activities>({
  startToCloseTimeout: '60s',
  // The schedule comes round in seconds: a duty that failed is done then.
  retry: { maximumAttempts: 1 },
});

const duties: Record<ReconcilerDuty, () => Promise<number>> = {
  handOffLeftBehind,
  deliverReports,
  resendGrants,
  expireOverdue,
};

/**
 * Mends what a crash or an outage left half done, every few seconds by a Temporal Schedule. Each duty stands for itself:
 * one that fails keeps none of the others from being done.
 *
 * @returns how many things each duty mended, or why it could not
 */
export async function reconcile(): Promise<Record<ReconcilerDuty, number | string>> {
  const done = await Promise.all(
    Object.entries(duties).map(async ([name, duty]) => {
      try {
        return [name, await duty()] as const;
      } catch (error) {
        return [name, String(error instanceof Error ? (error.cause ?? error) : error)] as const;
      }
    }),
  );
  return Object.fromEntries(done) as Record<ReconcilerDuty, number | string>;
}
