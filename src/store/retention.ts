import { sql, type ExpressionBuilder } from 'kysely';

import { activeStatuses } from '../call/transitions';
import { anyOf } from './any-of';
import type { CallRow, Database, DatabaseTransaction, Schema } from './database';
import { forgetCalls, linesThatMayBeUp } from './forgotten-calls';
import { countPersonalData } from './personal-data-work';

export interface Due {
  olderThanDays: number;
  /** Calls at most: a batch is one short transaction. */
  limit: number;
}

/** Forgets the person in the calls that ended longest ago, of those that are over. @returns them */
export async function forgetDueCalls(db: Database, due: Due): Promise<CallRow[]> {
  return db.transaction().execute(async (trx) => {
    const calls = await selectOver(trx, due).where('forgotten_at', 'is', null).execute();
    return forgetCalls(
      trx,
      calls.map(({ id }) => id),
      'RETENTION',
    );
  });
}

/** What came of nobody's call is forgotten by its age alone: reports of unknown calls, and ids of rejected messages. */
export async function forgetDueStrays(db: Database, { olderThanDays }: Pick<Due, 'olderThanDays'>): Promise<void> {
  await sql`
    update provider_reports set failure_reason = null
     where attempt_id is null and failure_reason is not null and received_at < ${before(olderThanDays)}`.execute(db);
  await sql`
    update call_events set body = jsonb_set(body::jsonb, '{requestId}', 'null')::json
     where call_id is null and body ->> 'requestId' is not null
       and ${hasLeft} and at < ${before(olderThanDays)}`.execute(db);
}

/**
 * Deletes the calls that ended longest ago, with all their rows, of those that nothing is left to do for: over, told to
 * everybody who is to be told, and without an order to Temporal. With a call goes the memory of its key and its message.
 *
 * @returns how many
 */
export async function deleteDueCalls(db: Database, due: Due): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const calls = await selectOver(trx, due)
      .where('handoff', 'is', null)
      .where((eb) => eb.not(eb.exists(eventsToBeSent(eb))))
      .where((eb) => eb.not(eb.exists(deliveriesToBeMade(eb))))
      // One that is being changed right now is another time's.
      .forUpdate()
      .skipLocked()
      .execute();
    if (calls.length === 0) return 0;
    const ids = calls.map(({ id }) => id);
    await trx.deleteFrom('calls').where('id', '=', anyOf(ids)).execute();
    await countPersonalData(trx, 'deleted_by_retention', ids.length);
    return ids.length;
  });
}

/** Rejections that were told, and reports that found no call. */
export async function deleteDueStrays(db: Database, { olderThanDays }: Pick<Due, 'olderThanDays'>): Promise<void> {
  await sql`
    delete from call_events
     where call_id is null and ${hasLeft} and at < ${before(olderThanDays)}
       and not exists (select 1 from webhook_deliveries
                        where event_id = call_events.id and state = 'PENDING')`.execute(db);
  await sql`delete from provider_reports where attempt_id is null and received_at < ${before(olderThanDays)}`.execute(
    db,
  );
}

const hasLeft = sql<boolean>`not exists (select from outbox where event_id = call_events.id)`;

function selectOver(trx: DatabaseTransaction, { olderThanDays, limit }: Due) {
  return trx
    .selectFrom('calls')
    .select('calls.id')
    .where('ended_at', '<', before(olderThanDays))
    .where('status', 'not in', activeStatuses)
    .where((eb) => eb.not(eb.exists(linesThatMayBeUp(eb))))
    .orderBy('ended_at')
    .limit(limit);
}

const eventsToBeSent = (eb: ExpressionBuilder<Schema, 'calls'>) =>
  eb
    .selectFrom('call_events')
    .select('call_events.id')
    .innerJoin('outbox', 'outbox.event_id', 'call_events.id')
    .whereRef('call_events.call_id', '=', 'calls.id');

const deliveriesToBeMade = (eb: ExpressionBuilder<Schema, 'calls'>) =>
  eb
    .selectFrom('webhook_deliveries')
    .select('webhook_deliveries.id')
    .whereRef('webhook_deliveries.call_id', '=', 'calls.id')
    .where('state', '=', 'PENDING');

function before(days: number) {
  return sql<Date>`now() - make_interval(days => ${days})`;
}
