import { setTimeout as pause } from 'node:timers/promises';

import { type Client, WorkflowNotFoundError } from '@temporalio/client';

import { workflowId } from '../call/names';
import { signalNames, type CallReported } from '../call/workflow-messages';
import { nextDialMilliseconds } from '../slots/signal-grants';
import { findAttempt, findAttemptByExternalCallId, findAttemptInCall, type AttemptInCall } from '../store/attempts';
import type { AttemptRow, Database } from '../store/database';
import {
  findReport,
  markDelivered,
  storeReport,
  type ProviderReport,
  type ProviderReportRow,
} from '../store/provider-reports';
import { inCall, SpanKind } from '../tracing';
import { endCompleted } from './end-completed';

const briefMilliseconds = 1_000;

export type ReportDeps = Parameters<typeof endCompleted>[0];

/** An attempt that a report came of. */
export interface Reported {
  attempt: AttemptInCall;
  /** The attempt's first, which counts; undefined where another attempt has what came. */
  report: ProviderReportRow | undefined;
}

/**
 * Stores what a webhook says before anything is done with it. The attempt our query names is believed unless that
 * attempt is known to be another of the provider's calls; then, and without a query, the provider's call id decides.
 *
 * @param namedAttemptId from the webhook's query, a UUID, or null
 * @returns the attempt it is about, or undefined for a call id that is not known (yet)
 */
export async function receiveReport(
  db: Database,
  report: ProviderReport,
  namedAttemptId: string | null,
): Promise<Reported | undefined> {
  const named = namedAttemptId === null ? undefined : await findAttemptInCall(db, namedAttemptId);
  const believed = named?.external_call_id === null || named?.external_call_id === report.externalCallId;
  const attempt = named && believed ? named : await findAttemptByExternalCallId(db, report.externalCallId);
  if (attempt === undefined) {
    await storeReport(db, report, null);
    return undefined;
  }
  const of = { kind: SpanKind.SERVER, runId: attempt.run_id, attributes: { 'call.report': report.status } };
  const first = await inCall(attempt.call_id, 'receive report', of, () => storeReport(db, report, attempt.id));
  return { attempt, report: first };
}

/** As it is by the record, where a report of it was stored. */
export async function findReported(db: Database, attemptId: string): Promise<Reported | undefined> {
  const [attempt, report] = await Promise.all([findAttemptInCall(db, attemptId), findReport(db, attemptId)]);
  return attempt && { attempt, report };
}

/**
 * What a webhook brought is stored: acts upon it. What of it does not come about, for a dependency is away, is left to the
 * call's workflow, and to the reconciler.
 *
 * @param stopping the process is about to end: what can wait a moment does not
 */
export async function actOnReport(
  deps: ReportDeps,
  { attempt, report }: Reported,
  stopping?: AbortSignal,
): Promise<void> {
  if (!report) return;
  // First: somebody may wait for the slot.
  const ended = await endCompleted(deps, attempt, report).catch((error: unknown) => {
    deps.log.warn({ attempt: attempt.id, err: error }, 'completed call not ended at once; its workflow will');
    return undefined;
  });
  // Nobody waits for the ended call's workflow to close; its task would keep the next call's from the machine. One that is
  // about to hear that its dial was answered hears of both in one.
  if (ended && !wasBrief(ended)) {
    await pause(nextDialMilliseconds, undefined, { signal: stopping }).catch(() => undefined);
  }
  await deliver(deps, ended ?? attempt, report, { concluded: ended !== undefined });
}

function wasBrief({ started_at, ended_at }: AttemptRow): boolean {
  return Number(ended_at) - Number(started_at) < briefMilliseconds;
}

/**
 * Signals an attempt's stored report to its workflow. Safe any number of times: the workflow takes the first report of
 * its own attempt and ignores the rest.
 *
 * @param late by the reconciler: where the attempt ends by this telling and none before, its timeline says so
 * @returns whether there was a workflow to tell of it
 */
export async function deliverReport(
  deps: { db: Database; temporal: Client },
  attemptId: string,
  { late = false }: { late?: boolean } = {},
): Promise<boolean> {
  const [attempt, report] = await Promise.all([findAttempt(deps.db, attemptId), findReport(deps.db, attemptId)]);
  return attempt !== undefined && report !== undefined && deliver(deps, attempt, report, { late });
}

/** @param concluded its workflow has nothing left to do but to end */
async function deliver(
  { db, temporal }: { db: Database; temporal: Client },
  attempt: AttemptRow,
  report: ProviderReportRow,
  { late = false, concluded = false }: { late?: boolean; concluded?: boolean },
): Promise<boolean> {
  let told = false;
  // Completed by the record, and perhaps ahead of its workflow: such a call does not go on in another run.
  if (attempt.ended_at === null || attempt.outcome === 'COMPLETED') {
    const reported: CallReported = {
      attemptId: attempt.id,
      status: report.status,
      durationSec: report.duration_sec,
      failureReason: report.failure_reason,
      ...(late && { late }),
      ...(concluded && { concluded }),
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
  await markDelivered(db, attempt.id);
  return told;
}
