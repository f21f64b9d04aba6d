import type { Client } from '@temporalio/client';

import type { Logger } from '../log';
import type { Semaphore } from '../slots/semaphore';
import { signalGrants } from '../slots/signal-grants';
import { findOpenAttempts, listSlotHolders } from '../store/attempts';
import type { Database } from '../store/database';

/**
 * Holds Redis to the record where the two differ: a slot whose attempt has ended is given back, as when a late claim was
 * confirmed after its attempt's end; an attempt in progress that Redis has lost sight of is noted on its slot again.
 *
 * @returns how many slots were put right
 */
export async function auditSlots(deps: {
  db: Database;
  temporal: Client;
  semaphore: Semaphore;
  log: Logger;
}): Promise<number> {
  const held = await deps.semaphore.holders();
  const [open, recorded] = [
    await findOpenAttempts(
      deps.db,
      held.map(({ attemptId }) => attemptId),
    ),
    await listSlotHolders(deps.db),
  ];
  const ended = held.filter(({ attemptId }) => !open.has(attemptId));
  for (const { callId, attemptId, slot } of ended) {
    deps.log.warn({ callId, slot }, 'slot held for an attempt that has ended: given back');
    // An attempt that has ended never begins again, so this is right however late it comes.
    await signalGrants(deps, (await deps.semaphore.release({ callId, attemptId })).grants);
  }
  const noted = new Map(held.map(({ attemptId, slot }) => [attemptId, slot]));
  const unnoted = recorded.filter(({ attemptId, slot }) => noted.get(attemptId) !== slot);
  for (const holder of unnoted) {
    await signalGrants(deps, (await deps.semaphore.confirm(holder, holder.slot)).grants);
  }
  return ended.length + unnoted.length;
}
