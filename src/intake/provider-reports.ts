import { type Client, WorkflowNotFoundError } from '@temporalio/client';

import { workflowId } from '../call/names';
import { signalNames, type CallReported } from '../call/workflow-messages';
import { findAttempt, findAttemptByExternalCallId } from '../store/attempts';
import type { Database } from '../store/database';
import { findReport, markDelivered, storeReport, type ProviderReport } from '../store/provider-reports';
import { inCall, SpanKind } from '../tracing';

/**
 * Stores what a webhook says before anything is done with it. The attempt our query names is believed unless that
 * attempt is known to be another of the provider's calls; then, and without a query, the provider's call id decides.
 *
 * @param namedAttemptId from the webhook's query, a UUID, or null
 * @returns the attempt it is about, or null for a call id that is not known (yet)
 */
export async function receiveReport(
  db: Database,
  report: ProviderReport,
  namedAttemptId: string | null,
): Promise<string | null> {
  const named = namedAttemptId === null ? undefined : await findAttempt(db, namedAttemptId);
  const believed = named?.external_call_id === null || named?.external_call_id === report.externalCallId;
  const attempt = named && believed ? named : await findAttemptByExternalCallId(db, report.externalCallId);
  const store = () => storeReport(db, report, attempt?.id ?? null);
  if (attempt === undefined) await store();
  else {
    const of = { kind: SpanKind.SERVER, runId: attempt.run_id, attributes: { 'call.report': report.status } };
    await inCall(attempt.call_id, 'receive report', of, store);
  }
  return attempt?.id ?? null;
}

/**
 * Signals an attempt's stored report to its workflow. Safe any number of times: the workflow takes the first report of
 * its own attempt and ignores the rest.
 *
 * @param late by the reconciler: where the attempt ends by this telling and none before, its timeline says so
 * @returns whether there was an attempt in progress to tell of it
 */
export async function deliverReport(
  deps: { db: Database; temporal: Client },
  attemptId: string,
  { late = false }: { late?: boolean } = {},
): Promise<boolean> {
  const { db, temporal } = deps;
  const [attempt, report] = await Promise.all([findAttempt(db, attemptId), findReport(db, attemptId)]);
  if (!attempt || !report) return false;
  let told = false;
  if (attempt.ended_at === null) {
    const reported: CallReported = {
      attemptId,
      status: report.status,
      durationSec: report.duration_sec,
      failureReason: report.failure_reason,
      ...(late && { late }),
    };
    try {
      const handle = temporal.workflow.getHandle(workflowId(attempt.call_id));
      await inCall(attempt.call_id, 'signal report', { kind: SpanKind.CLIENT, runId: attempt.run_id }, () =>
        handle.signal(signalNames.callReported, reported),
      );
      told = true;
    } catch (error) {
      // No workflow, nobody to tell; the row of an attempt that has not ended is not this one's to end.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }
  await markDelivered(db, attemptId);
  return told;
}
