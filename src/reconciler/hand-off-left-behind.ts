import type { Starter } from '../intake/starter';

/** Old enough that whoever wrote the order has had the time to carry it out. */
const leftBehindSeconds = 3;
const batch = 500;
/** Within the time that a duty has; what is left then is the next round's. */
const enoughSeconds = 40;

/**
 * Tells Temporal what a crash or an outage kept from it: calls to start, edited, canceled.
 *
 * @returns how many had to be told
 */
export async function handOffLeftBehind({ starter }: { starter: Starter }): Promise<number> {
  const until = Date.now() + enoughSeconds * 1_000;
  let total = 0;
  for (;;) {
    const { carriedOut, mended } = await starter.sweep({ olderThanSeconds: leftBehindSeconds, limit: batch });
    total += mended;
    if (carriedOut < batch || Date.now() > until) return total;
  }
}
