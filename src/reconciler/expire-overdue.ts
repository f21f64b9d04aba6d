import { sql } from 'kysely';

import type { Logger } from '../log';
import { updateCall } from '../store/calls';
import type { Database } from '../store/database';

const expiredUnseen = 'expired while it waited for its workflow or its next attempt';

/**
 * Ends calls whose time passed while nobody looked: before their workflow was started, or in a backoff. Their workflow,
 * where there is one, is canceled and gives back what it holds.
 *
 * @returns how many expired
 */
export async function expireOverdue({ db, log }: { db: Database; log: Logger }): Promise<number> {
  const overdue = await db
    .selectFrom('calls')
    .select('id')
    .where('status', '=', 'PENDING')
    .where('expires_at', '<=', sql<Date>`now()`)
    .orderBy('expires_at')
    .limit(500)
    .execute();
  let expired = 0;
  for (const { id } of overdue) {
    const row = await updateCall(db, id, {
      from: ['PENDING'],
      to: 'EXPIRED',
      set: {
        ended_at: sql`now()`,
        next_attempt_at: null,
        handoff: 'CANCEL',
        handoff_at: sql`now()`,
      },
      when: (eb) => eb('expires_at', '<=', sql<Date>`now()`),
      events: [{ type: 'call.updated', reason: expiredUnseen }, { type: 'call.expired' }],
    });
    if (row === undefined) continue;
    expired++;
    log.info({ callId: id }, 'call expired');
  }
  return expired;
}
