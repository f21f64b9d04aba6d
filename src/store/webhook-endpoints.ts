import { sql, type Selectable } from 'kysely';

import type { CallEventType } from '../call/event';
import type { Database, DatabaseTransaction, WebhookEndpointsTable, WebhookSecret } from './database';

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

export type EndpointRow = Selectable<WebhookEndpointsTable>;

export interface EndpointSettings {
  url: string;
  description: string;
  /** Null for all. */
  eventTypes: CallEventType[] | null;
}

export async function insertEndpoint(
  db: Database,
  { url, description, eventTypes }: EndpointSettings,
  secret: WebhookSecret,
): Promise<EndpointRow> {
  return db
    .insertInto('webhook_endpoints')
    .values({ url, description, event_types: eventTypes, secrets: JSON.stringify([secret]) })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** In the order in which they were registered. */
export async function listEndpoints(db: Database): Promise<EndpointRow[]> {
  return db.selectFrom('webhook_endpoints').selectAll().orderBy('seq').execute();
}

export async function findEndpoint(db: Database, id: string): Promise<EndpointRow | undefined> {
  return db.selectFrom('webhook_endpoints').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function updateEndpoint(
  db: Database,
  id: string,
  change: { [Name in keyof EndpointSettings]?: EndpointSettings[Name] | undefined },
): Promise<EndpointRow | undefined> {
  const { url, description, eventTypes } = change;
  return db
    .updateTable('webhook_endpoints')
    .set({
      ...(url !== undefined && { url }),
      ...(description !== undefined && { description }),
      ...(eventTypes !== undefined && { event_types: eventTypes }),
      updated_at: sql`now()`,
    })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

/** Gives it other secrets, made of those it has: two at once are one after the other. */
export async function changeSecrets(
  db: Database,
  id: string,
  change: (secrets: WebhookSecret[]) => WebhookSecret[],
): Promise<EndpointRow | undefined> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .selectFrom('webhook_endpoints')
      .selectAll()
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (row === undefined) return undefined;
    return trx
      .updateTable('webhook_endpoints')
      .set({ secrets: JSON.stringify(change(row.secrets)), updated_at: sql`now()` })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst();
  });
}

/** Gets events from now on, whatever disabled it. What it missed meanwhile it does not get. */
export async function enableEndpoint(db: Database, id: string): Promise<EndpointRow | undefined> {
  return db
    .updateTable('webhook_endpoints')
    .set({ disabled_at: null, disabled_reason: null, failing_since: null, updated_at: sql`now()` })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

/** What is on its way to it has FAILED; the log of deliveries stays. @returns whether there was one */
export async function deleteEndpoint(db: Database, id: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const deleted = await trx.deleteFrom('webhook_endpoints').where('id', '=', id).executeTakeFirst();
    if (deleted.numDeletedRows === 0n) return false;
    await failPending(trx, id, 'endpoint deleted');
    return true;
  });
}
