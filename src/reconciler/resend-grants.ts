import type { Client } from '@temporalio/client';

import type { Logger } from '../log';
import type { Semaphore } from '../slots/semaphore';
import { signalGrants } from '../slots/signal-grants';
import { findOpenAttempts } from '../store/attempts';
import type { Database } from '../store/database';
import { giveBackSlots } from './give-back-slots';

/** A claim takes milliseconds; a grant this old was not heard. */
const unheardSeconds = 5;

/**
 * Tells again of slots that were granted and not claimed: whoever granted them died before the signal. It also takes
 * over a changed limit, whose new slots are grants like any other. A grant to an attempt that the record has ended, by a
 * process that died before it told Redis, is given back: its call's workflow may run, but for another attempt.
 *
 * @returns how many grants were told, or given back
 */
export async function resendGrants(deps: {
  db: Database;
  temporal: Client;
  semaphore: Semaphore;
  log: Logger;
}): Promise<number> {
  const ofNewSlots = [...(await deps.semaphore.adoptLimit()).grants, ...(await deps.semaphore.adoptSwitch()).grants];
  await signalGrants(deps, ofNewSlots);

  const unheard = await deps.semaphore.unclaimed(unheardSeconds);
  const open = await findOpenAttempts(
    deps.db,
    unheard.map((grant) => grant.attemptId),
  );
  const ended = unheard.filter(({ attemptId }) => !open.has(attemptId));
  const waited = unheard.filter(({ attemptId }) => open.has(attemptId));
  const givenBack = await giveBackSlots(deps, ended);
  await signalGrants(deps, waited, { late: true });
  return ofNewSlots.length + givenBack + waited.length;
}
