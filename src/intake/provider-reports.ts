import { setTimeout as pause } from 'node:timers/promises';

import { type Client, WorkflowNotFoundError } from '@temporalio/client';

import { workflowId } from '../call/names';
import { signalNames, type CallReported } from '../call/workflow-messages';
import { nextDialMilliseconds } from '../slots/signal-grants';
import { findAttempt, findAttemptByExternalCallId, findAttemptInCall, type AttemptInCall } from '../store/attempts';
import type { AttemptRow, Database } from '../store/database';
import { gather } from '../store/gather';
import { findReport, markDelivered, storeReport, type ProviderReport } from '../store/provider-reports';
import { inCall, SpanKind } from '../tracing';
import { endCompleted, type EndDeps, type Ending } from './end-completed';

const briefMilliseconds = 1_000;

/** What notes that an attempt's workflow was told of its report. */
export type MarkDelivered = (attemptId: string) => Promise<void>;

const gatherMilliseconds = 200;

/** For a process that has many in hand: those of a moment are noted together. */
export const markingTogether = (db: Database): MarkDelivered =>
  gather(gatherMilliseconds, (attemptIds: readonly string[]) => markDelivered(db, attemptIds));

/** An attempt that a report came of. */
export interface Reported {
  attempt: AttemptInCall;
  /** The attempt's first, which counts; undefined where another attempt has what came. */
  report: ProviderReport | undefined;
  /** Where the attempt ended by it. */
  ending?: Ending | undefined;
}

/**
 * Stores what a webhook says, and ends the call that went well by it. The attempt our query names is believed unless that
 * attempt is known to be another of the provider's calls; then, and without a query, the provider's call id decides.
 *
 * @param namedAttemptId from the webhook's query, a UUID, or null
 * @returns the attempt it is about, or undefined for a call id that is not known (yet)
 */
export async function receiveReport(
  deps: EndDeps,
  report: ProviderReport,
  namedAttemptId: string | null,
): Promise<Reported | undefined> {
  const { db } = deps;
  const named = namedAttemptId === null ? undefined : await findAttemptInCall(db, namedAttemptId);
  const believed = named?.external_call_id === null || named?.external_call_id === report.externalCallId;
  const attempt = named && believed ? named : await findAttemptByExternalCallId(db, report.externalCallId);
  if (attempt === undefined) {
    await storeReport(db, report, null);
    return undefined;
  }
  const of = { kind: SpanKind.SERVER, runId: attempt.run_id, attributes: { 'call.report': report.status } };
  return inCall(attempt.call_id, 'receive report', of, async () => {
    const ending = await endAtOnce(deps, attempt, report);
    return { attempt, report: ending ? report : await storeReport(db, report, attempt.id), ending };
  });
}

/** By the record, where a report of the attempt was stored before it was known whose it is. */
export async function findReported(deps: EndDeps, attemptId: string): Promise<Reported | undefined> {
  const [attempt, report] = await Promise.all([findAttemptInCall(deps.db, attemptId), findReport(deps.db, attemptId)]);
  return attempt && { attempt, report, ending: report && (await endAtOnce(deps, attempt, report)) };
}

function endAtOnce(deps: EndDeps, attempt: AttemptInCall, report: ProviderReport): Promise<Ending | undefined> {
  return endCompleted(deps, attempt, report).catch((error: unknown) => {
    deps.log.warn({ attempt: attempt.id, err: error }, 'completed call not ended at once; its workflow will');
    return undefined;
  });
}

/**
 * What a webhook brought is stored: tells the workflow. What of it does not come about, for a dependency is away, is left
 * to the call's workflow, and to the reconciler.
 *
 * @param stopping the process is about to end: what can wait a moment does not
 * @param mark by itself a statement at once
 */
export async function actOnReport(
  deps: EndDeps,
  { attempt, report, ending }: Reported,
  { stopping, mark }: { stopping?: AbortSignal; mark?: MarkDelivered } = {},
): Promise<void> {
  if (!report) return;
  const handedOver = await ending?.handedOver.catch((error: unknown) => {
    deps.log.warn({ attempt: attempt.id, err: error }, 'slot of a completed call not given back; its workflow will');
    return undefined;
  });
  // Nobody waits for the ended call's workflow to close; its task would keep the next call's from the machine. One that is
  // about to hear that its dial was answered hears of both in one.
  if (ending && !wasBrief(ending.attempt)) {
    await pause(nextDialMilliseconds, undefined, { signal: stopping }).catch(() => undefined);
  }
  await deliver(deps, ending?.attempt ?? attempt, report, { concluded: handedOver !== undefined, mark });
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
  report: ProviderReport,
  {
    late = false,
    concluded = false,
    mark = (attemptId) => markDelivered(db, [attemptId]),
  }: { late?: boolean; concluded?: boolean; mark?: MarkDelivered | undefined },
): Promise<boolean> {
  let told = false;
  // Completed by the record, and perhaps ahead of its workflow: such a call does not go on in another run.
  if (attempt.ended_at === null || attempt.outcome === 'COMPLETED') {
    const reported: CallReported = {
      attemptId: attempt.id,
      status: report.status,
      durationSec: report.durationSec,
      failureReason: report.failureReason,
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
  await mark(attempt.id);
  return told;
}
