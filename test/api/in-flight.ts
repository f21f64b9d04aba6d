import { sql } from 'kysely';

import type { Database } from '../../src/store/database';
import type { Answer } from './api-under-test';

/**
 * Sends a request twice at once while no call can be stored: whoever waits for that is the first, and the other comes
 * while it is in flight.
 */
export async function inFlight(
  db: Database,
  send: () => Promise<Answer>,
): Promise<{ refused: Answer; answered: Answer }> {
  const both = [send, send];
  return db
    .transaction()
    .execute(async (trx) => {
      await sql`lock table calls in exclusive mode`.execute(trx);
      const pending = both.map(async (one, index) => ({ index, answer: await one() }));
      const { index, answer: refused } = await Promise.race(pending);
      return { refused, other: pending[1 - index]! };
    })
    .then(async ({ refused, other }) => ({ refused, answered: (await other).answer }));
}
