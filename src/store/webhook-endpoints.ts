import { sql } from 'kysely';

import type { DatabaseTransaction } from './database';

/** Everything that is on its way to it ends with it: `last_error` says why. */
export async function disableEndpoint(trx: DatabaseTransaction, id: string, reason: string): Promise<void> {
  await trx
    .updateTable('webhook_endpoints')
    .set({ disabled_at: sql`now()`, disabled_reason: reason, updated_at: sql`now()` })
    .where('id', '=', id)
    .where('disabled_at', 'is', null)
    .execute();
  await failPending(trx, id, `endpoint disabled: ${reason}`);
}

export async function failPending(trx: DatabaseTransaction, endpointId: string, reason: string): Promise<void> {
  await trx
    .updateTable('webhook_deliveries')
    .set({ state: 'FAILED', last_error: reason, next_try_at: null, ended_at: sql`now()` })
    .where('endpoint_id', '=', endpointId)
    .where('state', '=', 'PENDING')
    .execute();
}

/** A try failed. @returns seconds for which every try has; the row is written for the first of them only */
export async function noteFailing(trx: DatabaseTransaction, id: string): Promise<number> {
  await trx
    .updateTable('webhook_endpoints')
    .set({ failing_since: sql`now()` })
    .where('id', '=', id)
    .where('failing_since', 'is', null)
    .execute();
  const endpoint = await trx
    .selectFrom('webhook_endpoints')
    .select(sql<number>`extract(epoch from now() - failing_since)::float8`.as('seconds'))
    .where('id', '=', id)
    .executeTakeFirst();
  return endpoint?.seconds ?? 0;
}

/** A try was well. */
export async function noteWorking(trx: DatabaseTransaction, id: string): Promise<void> {
  await trx
    .updateTable('webhook_endpoints')
    .set({ failing_since: null })
    .where('id', '=', id)
    .where('failing_since', 'is not', null)
    .execute();
}
