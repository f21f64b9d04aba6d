import type { Starter } from '../intake/starter';

/** Old enough that whoever wrote the order has had the time to carry it out. */
const leftBehindSeconds = 3;
const batch = 500;

/**
 * Tells Temporal what a crash or an outage kept from it: calls to start, edited, canceled.
 *
 * @returns how many were told
 */
export async function handOffLeftBehind({ starter }: { starter: Starter }): Promise<number> {
  let total = 0;
  for (;;) {
    const done = await starter.sweep({ olderThanSeconds: leftBehindSeconds, limit: batch });
    total += done;
    if (done < batch) return total;
  }
}
