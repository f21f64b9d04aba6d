import { sql, type Selectable } from 'kysely';

import type { ReportStatus } from '../call/call';
import type { Database, DatabaseTransaction, ProviderReportsTable } from './database';

export type ProviderReportRow = Selectable<ProviderReportsTable>;

/** What a provider says of a call's end, from its webhook or its answer to our question. */
export interface ProviderReport {
  externalCallId: string;
  status: ReportStatus;
  durationSec: number | null;
  failureReason: string | null;
  completedAt: Date;
}

/**
 * Stores a report, once for a call and status however often it comes. One that names no attempt yet takes the first
 * attempt it can be matched to.
 */
export async function storeReport(db: Database, report: ProviderReport, attemptId: string | null): Promise<void> {
  await db
    .insertInto('provider_reports')
    .values({
      attempt_id: attemptId,
      external_call_id: report.externalCallId,
      status: report.status,
      duration_sec: report.durationSec,
      failure_reason: report.failureReason,
      completed_at: report.completedAt,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['external_call_id', 'status'])
        .doUpdateSet({ attempt_id: sql`coalesce(provider_reports.attempt_id, excluded.attempt_id)` }),
    )
    .execute();
}

/** Gives the attempt the reports that came before its provider's id was known. */
export async function matchReports(trx: DatabaseTransaction, attemptId: string, externalCallId: string): Promise<void> {
  await trx
    .updateTable('provider_reports')
    .set({ attempt_id: attemptId })
    .where('external_call_id', '=', externalCallId)
    .where('attempt_id', 'is', null)
    .execute();
}

/** An attempt's first report: a later one with another status changes nothing. */
export async function findReport(
  db: Database | DatabaseTransaction,
  attemptId: string,
): Promise<ProviderReportRow | undefined> {
  return db
    .selectFrom('provider_reports')
    .selectAll()
    .where('attempt_id', '=', attemptId)
    .orderBy('id')
    .executeTakeFirst();
}

export async function markDelivered(db: Database, attemptId: string): Promise<void> {
  await db
    .updateTable('provider_reports')
    .set({ delivered_at: sql`now()` })
    .where('attempt_id', '=', attemptId)
    .where('delivered_at', 'is', null)
    .execute();
}
