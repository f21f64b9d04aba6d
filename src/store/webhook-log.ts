import { sql, type Selectable } from 'kysely';

import type { WebhookDeliveryState } from '../call/webhook';
import type { Database, WebhookTriesTable } from './database';
import type { DeliveryRow } from './webhook-deliveries';

/** Deliveries as people look at them. */
export type LoggedDelivery = DeliveryRow & { eventId: string; eventType: string };
export type TryRow = Selectable<WebhookTriesTable>;

export interface DeliveryFilter {
  endpointId?: string | undefined;
  callId?: string | undefined;
  state?: WebhookDeliveryState | undefined;
}

/** Newest first. */
export async function listDeliveries(
  db: Database,
  filter: DeliveryFilter,
  page: { limit: number; afterSeq: number | undefined },
): Promise<{ rows: LoggedDelivery[]; nextSeq: number | null }> {
  let query = logged(db)
    .orderBy('webhook_deliveries.seq', 'desc')
    .limit(page.limit + 1);
  if (filter.endpointId !== undefined) query = query.where('endpoint_id', '=', filter.endpointId);
  if (filter.callId !== undefined) query = query.where('webhook_deliveries.call_id', '=', filter.callId);
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  if (page.afterSeq !== undefined) query = query.where('webhook_deliveries.seq', '<', page.afterSeq);
  const found = await query.execute();
  const rows = found.slice(0, page.limit);
  return { rows, nextSeq: found.length > page.limit ? (rows.at(-1)?.seq ?? null) : null };
}

export async function findDelivery(db: Database, id: string): Promise<LoggedDelivery | undefined> {
  return logged(db).where('webhook_deliveries.id', '=', id).executeTakeFirst();
}

function logged(db: Database) {
  return db
    .selectFrom('webhook_deliveries')
    .innerJoin('call_events', 'call_events.id', 'webhook_deliveries.event_id')
    .selectAll('webhook_deliveries')
    .select(['call_events.event_id as eventId', 'call_events.type as eventType']);
}

/** Every try, the first one first. */
export async function listTries(db: Database, deliveryId: string): Promise<TryRow[]> {
  return db.selectFrom('webhook_tries').selectAll().where('delivery_id', '=', deliveryId).orderBy('number').execute();
}

/**
 * Has it delivered anew, whatever became of it: at once, and with the whole schedule before it. Its next round; the
 * workflow of the one before finds that it is superseded.
 */
export async function deliverAnew(db: Database, id: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await trx
      .updateTable('webhook_deliveries')
      .set({
        ...{ state: 'PENDING', round: sql<number>`round + 1`, round_tries: 0 },
        ...{ started_at: null, next_try_at: null, ended_at: null, last_error: null, last_status: null },
      })
      .where('id', '=', id)
      .execute();
    await sql`select notify_of_webhook_deliveries()`.execute(trx);
  });
}
