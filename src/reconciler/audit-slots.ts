import type { Client } from '@temporalio/client';

import type { Logger } from '../log';
import type { Grant, Semaphore } from '../slots/semaphore';
import { giveBack, signalGrants } from '../slots/signal-grants';
import { findAttemptsSince, findOpenAttempts, listNextWaiters, listSlotHolders } from '../store/attempts';
import { tellOnce } from '../store/calls';
import type { Database } from '../store/database';
import { giveBackSlots } from './give-back-slots';

export interface AuditDeps {
  db: Database;
  temporal: Client;
  semaphore: Semaphore;
  log: Logger;
}

/** How many of those who wait are looked for, from the head of the queue: a bounded look, wherever the others stand. */
export const nextInQueue = 500;
/** To tell Redis of a place takes milliseconds; while it is away the step is repeated, and does no harm to this. */
const queuedForSeconds = 5;
/** Whoever claims a slot tells Redis right after; one that was granted and claimed during this look is nothing lost. */
const notedWithinSeconds = 5;

const notedAgain = 'slot noted again: Redis had lost sight of it';

/**
 * Holds Redis to the record where the two differ, holders and waiters alike.
 *
 * @returns how many slots and places were put right
 */
export async function auditSlots(deps: AuditDeps): Promise<number> {
  const mended = (await auditHolders(deps)) + (await auditWaiters(deps));
  await deps.semaphore.watchSettings();
  return mended;
}

/**
 * A slot whose attempt has ended is given back, as when a late claim was confirmed after its attempt's end; an attempt in
 * progress that Redis has lost sight of is noted on its slot again; a grant that Redis no longer knows as unclaimed,
 * though by the record it is, is told again.
 */
async function auditHolders({ db, ...deps }: AuditDeps): Promise<number> {
  // Redis before the record, and its grants after its holders: a claim on its way in between is then seen as claimed.
  const held = await deps.semaphore.holders();
  const unclaimed = idsOf(await deps.semaphore.unclaimed(0));
  const [open, recorded] = [await findOpenAttempts(db, [...idsOf(held)]), await listSlotHolders(db)];
  const begun = idsOf(recorded);

  const ended = held.filter(({ attemptId }) => !open.has(attemptId));
  const givenBack = await giveBackSlots({ db, ...deps }, ended);
  const noted = new Map(held.map(({ attemptId, slot }) => [attemptId, slot]));
  const unnoted = recorded.filter(({ attemptId, slot }) => noted.get(attemptId) !== slot);
  const since = { moment: 'started_at', olderThanSeconds: notedWithinSeconds } as const;
  const lost = await findAttemptsSince(db, [...idsOf(unnoted)], since);
  for (const holder of unnoted) {
    const { callId, attemptId } = holder;
    if (lost.has(attemptId)) await tellOnce(db, callId, `slot-noted-again/${attemptId}`, notedAgain);
    await signalGrants(deps, (await deps.semaphore.confirm(holder, holder.slot)).grants);
  }
  const untold = held.filter(({ attemptId: id }) => open.has(id) && !begun.has(id) && !unclaimed.has(id));
  await signalGrants(deps, untold, { late: true });
  return givenBack + lost.size + untold.length;
}

/**
 * An attempt that waits by the record and has no place in Redis would wait for ever: the queue was lost alone, or a step
 * that had been given up for dead gave the place back late. Whoever it happened to is found when the turn comes at the
 * latest, for then it stands among the first by the record.
 */
async function auditWaiters({ db, log, ...deps }: AuditDeps): Promise<number> {
  const absent = await deps.semaphore.absent(await listNextWaiters(db, { queuedForSeconds, limit: nextInQueue }));
  if (absent.length === 0) return 0;
  for (const waiter of absent) {
    await signalGrants(deps, (await deps.semaphore.acquire(waiter, waiter.queueSeq)).grants);
  }
  // One that ended meanwhile may have left Redis before it was put back; one that ends from here on leaves it after.
  const open = await findOpenAttempts(db, [...idsOf(absent)]);
  for (const waiter of absent.filter(({ attemptId }) => !open.has(attemptId))) await giveBack(deps, waiter);
  for (const { callId, attemptId } of absent.filter((waiter) => open.has(waiter.attemptId))) {
    await tellOnce(db, callId, `queued-again/${attemptId}`, 'put back into the queue: Redis had lost its place');
  }
  if (open.size > 0) log.warn({ attempts: open.size }, 'waiting, and not in Redis: put back into the queue');
  return open.size;
}

function idsOf(those: readonly Pick<Grant, 'attemptId'>[]): Set<string> {
  return new Set(those.map(({ attemptId }) => attemptId));
}
