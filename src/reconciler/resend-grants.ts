import type { Client } from '@temporalio/client';

import type { Grant, Semaphore } from '../slots/semaphore';
import { signalGrants } from '../slots/signal-grants';
import { findOpenAttempts } from '../store/attempts';
import type { Database } from '../store/database';

/** A claim takes milliseconds; a grant this old was not heard. */
const unheardSeconds = 5;

/**
 * Tells again of slots that were granted and not claimed: whoever granted them died before the signal. It also takes
 * over a changed limit, whose new slots are grants like any other. A grant to an attempt that the record has ended, by a
 * process that died before it told Redis, is given back: its call's workflow may run, but for another attempt.
 *
 * @returns how many grants were told again
 */
export async function resendGrants(deps: { db: Database; temporal: Client; semaphore: Semaphore }): Promise<number> {
  const { grants: ofNewSlots } = await deps.semaphore.adoptLimit();
  const unheard = await deps.semaphore.unclaimed(unheardSeconds);
  const open = await findOpenAttempts(
    deps.db,
    unheard.map((grant) => grant.attemptId),
  );
  const givenBack: Grant[] = [];
  for (const grant of unheard.filter(({ attemptId }) => !open.has(attemptId))) {
    givenBack.push(...(await deps.semaphore.release(grant)).grants);
  }
  const grants = [...ofNewSlots, ...givenBack, ...unheard.filter(({ attemptId }) => open.has(attemptId))];
  await signalGrants(deps, grants);
  return grants.length;
}
