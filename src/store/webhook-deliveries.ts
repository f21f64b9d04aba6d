import { sql, type Selectable } from 'kysely';

import type { CallEvent, CallRejectedEvent } from '../call/event';
import type { DeliverWebhookInput } from '../call/webhook';
import { anyOf } from './any-of';
import { eventOf } from './call-events';
import type { Database, DatabaseTransaction, WebhookDeliveriesTable, WebhookSecret } from './database';
import { disableEndpoint, noteFailing, noteWorking } from './webhook-endpoints';

export type DeliveryRow = Selectable<WebhookDeliveriesTable>;

/** The channel on which migration 0007 wakes whoever hands deliveries to Temporal. */
export const deliveryNotices = 'webhook_deliveries';

/** Deliveries that Temporal has no workflow of yet, the oldest first. */
export async function listUnstarted(db: Database, limit: number): Promise<DeliverWebhookInput[]> {
  return db
    .selectFrom('webhook_deliveries')
    .select(['id as deliveryId', 'round'])
    .where('state', '=', 'PENDING')
    .where('started_at', 'is', null)
    .orderBy('seq')
    .limit(limit)
    .execute();
}

export async function markStarted(db: Database, started: readonly DeliverWebhookInput[]): Promise<void> {
  if (started.length === 0) return;
  const pairs = started.map(({ deliveryId, round }) => sql`(${deliveryId}::uuid, ${round}::integer)`);
  await db
    .updateTable('webhook_deliveries')
    .set({ started_at: sql`now()` })
    .where(sql<boolean>`(id, round) in (${sql.join(pairs)})`)
    .execute();
}

/** A delivery with what its next try needs. */
export interface DeliveryInHand {
  row: DeliveryRow;
  /** Seconds until its next try is due; 0 or less where it is. */
  dueInSeconds: number;
  event: CallEvent | CallRejectedEvent;
  /** Undefined where it goes to the call's own URL, null where the endpoint was deleted. */
  endpoint: { url: string; secrets: WebhookSecret[]; disabledReason: string | null } | null | undefined;
}

export async function readDelivery(db: Database, id: string): Promise<DeliveryInHand | undefined> {
  const row = await db
    .selectFrom('webhook_deliveries')
    .selectAll()
    .select(sql<number>`coalesce(extract(epoch from next_try_at - now()), 0)::float8`.as('dueInSeconds'))
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const event = await db.selectFrom('call_events').selectAll().where('id', '=', row.event_id).executeTakeFirst();
  if (event === undefined) return undefined;
  return {
    row,
    dueInSeconds: row.dueInSeconds,
    event: eventOf(event),
    endpoint: row.endpoint_id === null ? undefined : await readTarget(db, row.endpoint_id),
  };
}

async function readTarget(db: Database, id: string): Promise<NonNullable<DeliveryInHand['endpoint']> | null> {
  const row = await db.selectFrom('webhook_endpoints').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) return null;
  const disabledReason = row.disabled_at === null ? null : (row.disabled_reason ?? 'disabled');
  return { url: row.url, secrets: row.secrets, disabledReason };
}

/** A round of a delivery: what was decided on another round's account changes nothing. */
type Round = DeliverWebhookInput;

/**
 * Writes down that a try begins, before anything is sent, so that one whose worker dies shows as well.
 *
 * @returns its number, or undefined where the delivery is not this round's any more, or has ended
 */
export async function beginTry(db: Database, { deliveryId, round }: Round, url: string): Promise<number | undefined> {
  const { rows } = await sql<{ number: number }>`
    with begun as (
      update webhook_deliveries set tries = tries + 1, url = ${url}
       where id = ${deliveryId} and round = ${round} and state = 'PENDING'
      returning id, tries
    ), lost as (
      update webhook_tries set error = 'its outcome was not written down: the worker stopped'
        from begun
       where delivery_id = begun.id and duration_ms is null and error is null
    )
    insert into webhook_tries (delivery_id, number, url) select id, tries, ${url} from begun
    returning number`.execute(db);
  return rows[0]?.number;
}

export interface TryOutcome {
  durationMs: number;
  /** Null where no answer came. */
  status: number | null;
  /** Null where the try was well. */
  error: string | null;
  response: string | null;
}

export interface EndedTry {
  number: number;
  outcome: TryOutcome;
  /** What becomes of the delivery. GONE: its receiver wants nothing more. */
  verdict: { kind: 'DELIVERED' } | { kind: 'FAILED' } | { kind: 'GONE' } | { kind: 'RETRY'; seconds: number };
}

/** Days for which every try to an endpoint has failed when it is disabled; 0: it never is. */
export interface DisablePolicy {
  WEBHOOK_DISABLE_AFTER_DAYS: number;
}

/**
 * Writes down how a try ended, and what becomes of the delivery by it unless a later try or round has begun meanwhile. The
 * endpoint's row is locked before any delivery's, here as everywhere.
 */
export async function endTry(db: Database, round: Round, ended: EndedTry, policy: DisablePolicy): Promise<void> {
  const { number, outcome, verdict } = ended;
  await db.transaction().execute(async (trx) => {
    const {
      endpoint_id: endpointId,
      call_id: callId,
      url,
    } = await trx
      .selectFrom('webhook_deliveries')
      .select(['endpoint_id', 'call_id', 'url'])
      .where('id', '=', round.deliveryId)
      .executeTakeFirstOrThrow();
    if (endpointId !== null) await tellEndpoint(trx, endpointId, verdict, policy);
    else if (verdict.kind === 'GONE' && callId !== null) await forgetUrlOf(trx, callId, url);
    await trx
      .updateTable('webhook_tries')
      .set({ duration_ms: outcome.durationMs, ...outcomeColumns(outcome), response: outcome.response })
      .where('delivery_id', '=', round.deliveryId)
      .where('number', '=', number)
      .execute();
    await settle(trx, round, ended);
  });
}

const outcomeColumns = ({ status, error }: TryOutcome) => ({ status, error });

async function settle(trx: DatabaseTransaction, { deliveryId, round }: Round, ended: EndedTry): Promise<void> {
  const { number, outcome, verdict } = ended;
  const goesOn = verdict.kind === 'RETRY';
  await trx
    .updateTable('webhook_deliveries')
    .set({
      state: goesOn ? 'PENDING' : verdict.kind === 'DELIVERED' ? 'DELIVERED' : 'FAILED',
      round_tries: sql`round_tries + 1`,
      next_try_at: goesOn ? sql<Date>`now() + make_interval(secs => ${verdict.seconds})` : null,
      ended_at: goesOn ? null : sql<Date>`now()`,
      last_status: outcome.status,
      last_error: outcome.error,
    })
    .where('id', '=', deliveryId)
    .where('round', '=', round)
    .where('tries', '=', number)
    // The endpoint may have been disabled by this very try: that has failed this delivery with all others.
    .where((eb) =>
      eb.or([eb('state', '=', 'PENDING'), eb.and([eb.val(verdict.kind === 'GONE'), eb('state', '=', 'FAILED')])]),
    )
    .execute();
}

async function tellEndpoint(
  trx: DatabaseTransaction,
  endpointId: string,
  verdict: EndedTry['verdict'],
  { WEBHOOK_DISABLE_AFTER_DAYS: days }: DisablePolicy,
): Promise<void> {
  if (verdict.kind === 'DELIVERED') return noteWorking(trx, endpointId);
  if (verdict.kind === 'GONE') {
    await disableEndpoint(trx, endpointId, 'answered 410 Gone');
    return;
  }
  const failingSeconds = await noteFailing(trx, endpointId);
  if (days > 0 && failingSeconds >= days * 86_400) {
    await disableEndpoint(trx, endpointId, `every try has failed for ${days} days`);
  }
}

/**
 * The call's own URL answered 410: what is on its way there ends, and what happens next is not sent there. The call may
 * have another by now.
 */
async function forgetUrlOf(trx: DatabaseTransaction, callId: string, url: string): Promise<void> {
  await trx
    .updateTable('calls')
    .set({ webhook_gone_at: sql`now()` })
    .where('id', '=', callId)
    .where('webhook_url', '=', url)
    .execute();
  await trx
    .updateTable('webhook_deliveries')
    .set(failedBecause('its URL answered 410 Gone'))
    .where('call_id', '=', callId)
    .where('endpoint_id', 'is', null)
    .where('url', '=', url)
    .where('state', '=', 'PENDING')
    .execute();
}

/** Given up for another reason than an answer. */
export function failedBecause(reason: string) {
  return { state: 'FAILED' as const, last_error: reason, next_try_at: null, ended_at: sql<Date>`now()` };
}

/** Gives a delivery up. @returns whether it was PENDING, in that round */
export async function failDelivery(db: Database, { deliveryId, round }: Round, reason: string): Promise<boolean> {
  const failed = await db
    .updateTable('webhook_deliveries')
    .set(failedBecause(reason))
    .where('id', '=', deliveryId)
    .where('round', '=', round)
    .where('state', '=', 'PENDING')
    .executeTakeFirst();
  return failed.numUpdatedRows > 0n;
}

/** Its workflow is gone though it is PENDING: it gets another. @returns whether it was PENDING, in that round */
export async function handOffAgain(db: Database, { deliveryId, round }: Round, reason: string): Promise<boolean> {
  const again = await db
    .updateTable('webhook_deliveries')
    .set({ round: sql`round + 1`, started_at: null, last_error: reason })
    .where('id', '=', deliveryId)
    .where('round', '=', round)
    .where('state', '=', 'PENDING')
    .executeTakeFirst();
  return again.numUpdatedRows > 0n;
}

export interface LookedAt extends Round {
  seq: number;
}

/** Those of the deliveries that are PENDING and were handed to Temporal. */
export async function readStarted(db: Database, ids: readonly string[]): Promise<LookedAt[]> {
  if (ids.length === 0) return [];
  return startedDeliveries(db).where('id', '=', anyOf(ids)).execute();
}

/** Deliveries whose next try is long due, from that place in their order on. */
export async function listOverdue(
  db: Database,
  options: { afterSeq: number; olderThanSeconds: number; limit: number },
): Promise<LookedAt[]> {
  return startedDeliveries(db)
    .where('seq', '>', options.afterSeq)
    .where(sql<boolean>`coalesce(next_try_at, started_at) < now() - make_interval(secs => ${options.olderThanSeconds})`)
    .orderBy('seq')
    .limit(options.limit)
    .execute();
}

function startedDeliveries(db: Database) {
  return db
    .selectFrom('webhook_deliveries')
    .select(['id as deliveryId', 'round', 'seq'])
    .where('state', '=', 'PENDING')
    .where('started_at', 'is not', null);
}

export async function anyStarted(db: Database): Promise<boolean> {
  return (await startedDeliveries(db).limit(1).executeTakeFirst()) !== undefined;
}
