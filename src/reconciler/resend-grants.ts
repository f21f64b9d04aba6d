import type { Client } from '@temporalio/client';

import type { Semaphore } from '../slots/semaphore';
import { signalGrants } from '../slots/signal-grants';

/** A claim takes milliseconds; a grant this old was not heard. */
const unheardSeconds = 5;

/**
 * Tells again of slots that were granted and not claimed: whoever granted them died before the signal. It also takes
 * over a changed limit, whose new slots are grants like any other.
 *
 * @returns how many grants were told again
 */
export async function resendGrants(deps: { temporal: Client; semaphore: Semaphore }): Promise<number> {
  const { grants: ofNewSlots } = await deps.semaphore.adoptLimit();
  const grants = [...ofNewSlots, ...(await deps.semaphore.unclaimed(unheardSeconds))];
  await signalGrants(deps, grants);
  return grants.length;
}
