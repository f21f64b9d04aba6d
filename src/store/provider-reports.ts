import { sql, type QueryCreator, type RawBuilder, type Selectable } from 'kysely';

import type { AttemptEnd } from '../call/attempt-end';
import type { ReportStatus } from '../call/call';
import { anyOf } from './any-of';
import type { Given } from './built-once';
import type { Database, DatabaseTransaction, ProviderReportsTable, Schema } from './database';

export type ProviderReportRow = Selectable<ProviderReportsTable>;

/** What a provider says of a call's end, from its webhook or its answer to our question. */
export interface ProviderReport {
  externalCallId: string;
  status: ReportStatus;
  durationSec: number | null;
  failureReason: string | null;
  completedAt: Date;
}

const asReport = [
  'external_call_id as externalCallId',
  'status',
  'duration_sec as durationSec',
  'failure_reason as failureReason',
  'completed_at as completedAt',
] as const;

/**
 * Stores a report, once for a call and status however often it comes. One that names no attempt yet takes the first
 * attempt it can be matched to.
 *
 * @returns the attempt's first report, as `findReport` does
 */
export async function storeReport(
  db: Database,
  report: ProviderReport,
  attemptId: string | null,
): Promise<ProviderReport | undefined> {
  return db
    .with('stored', (cte) => storeReportIn(cte, report, attemptId))
    .selectFrom((eb) =>
      // What the statement itself stores is not in the table for it.
      eb.selectFrom('provider_reports').selectAll().unionAll(eb.selectFrom('stored').selectAll()).as('reports'),
    )
    .select(asReport)
    .where('attempt_id', '=', attemptId)
    .orderBy('id')
    .executeTakeFirst();
}

/** The same as a part of a statement. @param after a table that is read to its end before, with the locks that it takes */
export function storeReportIn(
  db: QueryCreator<Schema>,
  report: { readonly [Name in keyof ProviderReport]: Given<ProviderReport[Name]> },
  attemptId: Given<string | null>,
  after?: RawBuilder<unknown>,
) {
  const { externalCallId, status, durationSec, failureReason, completedAt } = report;
  const row = sql`
    select ${attemptId}::uuid, ${externalCallId}::text, ${status}::text, ${durationSec}::integer,
           ${failureReason}::text, ${completedAt}::timestamptz`;
  return db
    .insertInto('provider_reports')
    .columns(['attempt_id', 'external_call_id', 'status', 'duration_sec', 'failure_reason', 'completed_at'])
    .expression(after === undefined ? row : sql`${row} from (select count(*) from ${after}) as done`)
    .onConflict((conflict) =>
      conflict
        .columns(['external_call_id', 'status'])
        .doUpdateSet({ attempt_id: sql`coalesce(provider_reports.attempt_id, excluded.attempt_id)` }),
    )
    .returningAll();
}

/** Gives the attempt the reports that came before its provider's id was known. @returns their ids */
export function matchReports(db: QueryCreator<Schema>, attemptId: Given<string>, externalCallId: Given<string>) {
  return db
    .updateTable('provider_reports')
    .set({ attempt_id: attemptId })
    .where('external_call_id', '=', externalCallId)
    .where('attempt_id', 'is', null)
    .returning('id');
}

/** How the attempt ended that a report is about. */
export function endOf({ status, failureReason, durationSec }: ProviderReport): AttemptEnd {
  return { outcome: status, failureReason, durationSec };
}

/** An attempt's first report: a later one with another status changes nothing. */
export async function findReport(
  db: Database | DatabaseTransaction,
  attemptId: string,
): Promise<ProviderReport | undefined> {
  return db
    .selectFrom('provider_reports')
    .select(asReport)
    .where('attempt_id', '=', attemptId)
    .orderBy('id')
    .executeTakeFirst();
}

/** Those of all the call's attempts, in order of arrival. */
export async function listReports(
  db: Database,
  callId: string,
): Promise<(ProviderReportRow & { attempt_id: string })[]> {
  return db
    .selectFrom('provider_reports')
    .innerJoin('attempts', 'attempts.id', 'provider_reports.attempt_id')
    .selectAll('provider_reports')
    .select('attempts.id as attempt_id')
    .where('attempts.call_id', '=', callId)
    .orderBy('provider_reports.id')
    .execute();
}

/** The attempts' workflows have been told of their reports. */
export async function markDelivered(db: Database, attemptIds: readonly string[]): Promise<void> {
  await db
    .updateTable('provider_reports')
    .set({ delivered_at: sql`now()` })
    .where('attempt_id', '=', anyOf(attemptIds))
    .where('delivered_at', 'is', null)
    .execute();
}

/** Attempts with a stored report that was not signalled for a while. */
export async function listUndeliveredAttempts(
  db: Database,
  options: { olderThanSeconds: number; limit: number },
): Promise<string[]> {
  const rows = await db
    .selectFrom('provider_reports')
    .select((eb) => eb.ref('attempt_id').$notNull().as('attemptId'))
    .distinct()
    .where('delivered_at', 'is', null)
    .where('attempt_id', 'is not', null)
    .where('received_at', '<=', sql<Date>`now() - make_interval(secs => ${options.olderThanSeconds})`)
    .limit(options.limit)
    .execute();
  return rows.map((row) => row.attemptId);
}
