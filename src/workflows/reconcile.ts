import { log, proxyActivities, sleep } from '@temporalio/workflow';

import type { Activities } from '../activities';
import { reconcilerDuties, type ReconcilerDuty } from '../call/reconciler-duties';

const activities = proxyActivities<Activities>({
  startToCloseTimeout: '60s',
  // A duty whose worker or whose answer was lost must not keep the next round waiting for a minute.
  heartbeatTimeout: '15s',
  // The schedule comes round in seconds: a duty that failed is done then.
  retry: { maximumAttempts: 1 },
});

export interface ReconcileInput {
  everySeconds: number;
  rounds: number;
}

/** How many things each duty mended, or why it could not. */
type Mended = Record<ReconcilerDuty, number | string>;

/**
 * Mends what a crash or an outage left half done, every few seconds. A Temporal Schedule sees to it that one run follows
 * the other.
 *
 * @returns what its last round mended
 */
export async function reconcile({ everySeconds, rounds }: ReconcileInput): Promise<Mended> {
  let mended = await mend();
  for (let round = 1; round < rounds; round++) {
    await sleep(everySeconds * 1_000, { summary: 'Until the next round' });
    mended = await mend();
  }
  return mended;
}

/** Each duty stands for itself: one that fails keeps none of the others from being done. */
async function mend(): Promise<Mended> {
  const done = await Promise.all(
    reconcilerDuties.map(async (duty) => {
      try {
        return [duty, await activities[duty]()] as const;
      } catch (error) {
        const cause = causeOf(error);
        log.warn('reconciler: a duty failed; the next round does it again', { duty, cause });
        return [duty, cause] as const;
      }
    }),
  );
  const mended = done.filter(([, count]) => typeof count === 'number' && count > 0);
  if (mended.length > 0) log.info('reconciler: mended', Object.fromEntries(mended) as Partial<Mended>);
  return Object.fromEntries(done) as Mended;
}

/** What the activity's failure came from, which Temporal wraps. */
function causeOf(error: unknown): string {
  return String(error instanceof Error ? (error.cause ?? error) : error);
}
