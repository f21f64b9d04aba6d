import type { Client } from '@temporalio/client';

import type { Logger } from '../log';
import type { Grant, Semaphore } from '../slots/semaphore';
import { giveBack } from '../slots/signal-grants';
import { findAttemptsSince } from '../store/attempts';
import { tellOnce } from '../store/calls';
import type { Database } from '../store/database';

/** Whoever ends an attempt gives its slot back right after: by then it has, or died in between. */
const givenBackWithinSeconds = 5;

/**
 * Gives back slots that Redis has on attempts that have ended, which never begin again: right at any time. One whose
 * owner merely has not come to it yet is no mend, and not told of.
 *
 * @returns how many had been left behind
 */
export async function giveBackSlots(
  deps: { db: Database; temporal: Client; semaphore: Semaphore; log: Logger },
  held: readonly Grant[],
): Promise<number> {
  const ids = held.map(({ attemptId }) => attemptId);
  const since = { moment: 'ended_at', olderThanSeconds: givenBackWithinSeconds } as const;
  const leftBehind = await findAttemptsSince(deps.db, ids, since);
  for (const { callId, attemptId, slot } of held) {
    // Told first: a crash in between finds the slot still held, and the telling made.
    if (leftBehind.has(attemptId)) {
      deps.log.warn({ callId, slot }, 'slot held for an attempt that has ended: given back');
      await tellOnce(deps.db, callId, `slot-given-back/${attemptId}`, 'slot given back: its attempt had ended');
    }
    await giveBack(deps, { callId, attemptId });
  }
  return leftBehind.size;
}
