import { sql, type ExpressionBuilder } from 'kysely';

import { forgotten } from '../call/call';
import { activeStatuses } from '../call/transitions';
import { anyOf } from './any-of';
import { tellOfEach } from './call-events';
import type { CallRow, DatabaseTransaction, Schema } from './database';
import { isoTime } from './iso-time';
import { countPersonalData } from './personal-data-work';

/** Told in the call's timeline, and to everybody who takes its events: time to forget there as well. */
const told = { type: 'call.updated', reason: 'personal data forgotten' } as const;

/**
 * Forgets the person in calls that are over: the number, the metadata, the hash of the request, which a number could be
 * found from by trying all, the request's own key, and free texts, which may hold anything. It goes from the record, the
 * timeline and what has not left the outbox yet; the order to delete the histories in Temporal is left on the row.
 *
 * A call is over when its status is final and none of its lines can be up: such a one is not dialled, reported or started
 * again, but by a retry or a reset, which `forgotten_at` refuses.
 *
 * @returns the calls forgotten by this; those left out are not over, or were forgotten before
 */
export async function forgetCalls(
  trx: DatabaseTransaction,
  ids: readonly string[],
  by: 'REQUEST' | 'RETENTION',
): Promise<CallRow[]> {
  const rows = await trx
    .updateTable('calls')
    .set({
      to_number: forgotten,
      metadata: '{}',
      request_hash: null,
      request_key_hash: sql`coalesce(request_key_hash, encode(sha256(convert_to(request_key, 'UTF8')), 'hex'))`,
      request_key: null,
      last_error: sql`split_part(last_error, ':', 1)`,
      forgotten_at: sql`now()`,
      updated_at: sql`now()`,
      handoff: 'FORGET',
      handoff_at: sql`now()`,
      event_sequence: sql`event_sequence + 1`,
    })
    .where('id', '=', anyOf(await lockOver(trx, ids)))
    .returningAll()
    .execute();
  if (rows.length === 0) return [];
  const forgottenIds = rows.map(({ id }) => id);
  await forgetAttempts(trx, forgottenIds);
  await forgetInEvents(trx, forgottenIds);
  await forgetAnswers(trx, forgottenIds);
  await tellOfEach(trx, forgottenIds, [told]);
  await countPersonalData(trx, by === 'REQUEST' ? 'forgotten_on_request' : 'forgotten_by_retention', rows.length);
  return rows;
}

/** Locked first, in one order, and looked at after: who waited for a retry sees what it did. */
async function lockOver(trx: DatabaseTransaction, ids: readonly string[]): Promise<string[]> {
  await sql`select id from calls where id = ${anyOf(ids)} order by id for update`.execute(trx);
  const over = await trx
    .selectFrom('calls')
    .select('calls.id')
    .where('calls.id', '=', anyOf(ids))
    .where('calls.status', 'not in', activeStatuses)
    .where('calls.forgotten_at', 'is', null)
    .where((eb) => eb.not(eb.exists(linesThatMayBeUp(eb))))
    .execute();
  return over.map(({ id }) => id);
}

/** Of the call in hand: attempts that wait or are in progress, and lines that are still being hung up. */
export function linesThatMayBeUp(eb: ExpressionBuilder<Schema, 'calls'>) {
  return eb
    .selectFrom('attempts')
    .select('attempts.id')
    .whereRef('attempts.call_id', '=', 'calls.id')
    .where(
      sql<boolean>`attempts.ended_at is null or (attempts.in_doubt and attempts.external_call_id is not null
        and not exists (select 1 from provider_reports where provider_reports.attempt_id = attempts.id))`,
    );
}

/** Also in reports that came by the provider's id alone and found no attempt. */
async function forgetAttempts(trx: DatabaseTransaction, ids: readonly string[]): Promise<void> {
  await sql`
    update attempts set failure_reason = null, to_number = case when to_number is not null then ${forgotten} end
     where call_id = ${anyOf(ids)}`.execute(trx);
  await sql`
    update provider_reports set failure_reason = null
      from attempts
     where attempts.call_id = ${anyOf(ids)}
       and (attempt_id = attempts.id
            or (attempt_id is null and provider_reports.external_call_id = attempts.external_call_id))`.execute(trx);
}

async function forgetInEvents(trx: DatabaseTransaction, ids: readonly string[]): Promise<void> {
  const body = sql`call_events.body::jsonb`;
  const call = sql`${body} -> 'call' || jsonb_build_object(
    'payload', ${body} #> '{call,payload}' || jsonb_build_object('to', ${forgotten}::text, 'metadata', '{}'::jsonb),
    'lastError', split_part(${body} #>> '{call,lastError}', ':', 1),
    'forgottenAt', ${isoTime('calls.forgotten_at')})`;
  const attempt = sql`${body} -> 'attempt' || '{"failureReason": null}'`;
  await sql`
    update call_events
       set body = (${body}
           || case when ${body} ? 'call' then jsonb_build_object('call', ${call}) else '{}' end
           || case when ${body} ? 'attempt' then jsonb_build_object('attempt', ${attempt}) else '{}' end)::json
      from calls
     where call_events.call_id = calls.id and calls.id = ${anyOf(ids)}`.execute(trx);
}

/** What receivers of webhooks answered: they may have repeated what they were told. */
async function forgetAnswers(trx: DatabaseTransaction, ids: readonly string[]): Promise<void> {
  await sql`
    update webhook_tries set response = null
      from webhook_deliveries
     where webhook_tries.delivery_id = webhook_deliveries.id and webhook_deliveries.call_id = ${anyOf(ids)}
       and response is not null`.execute(trx);
}
