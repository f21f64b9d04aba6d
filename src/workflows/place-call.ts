import { ApplicationFailure, CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow';

import type { AttemptEnd, Verdict } from '../call/attempt-end';
import type { CallReported, PlaceCallInput, PlaceCallResult } from '../call/workflow-messages';
import { RunOfAttempt, type Turn } from './run-of-attempt';
import { dial, enqueueAttempt, expireCall, finishAttempt, hangUp, settleUnreported } from './steps';

/**
 * The story of a call. Each run is one attempt: it queues for one of the slots, dials, waits for the provider's report
 * and writes down how it ended. A run that fails is run again by the workflow's retry policy, after its backoff.
 */
export async function placeCall(input: PlaceCallInput): Promise<PlaceCallResult> {
  const run = new RunOfAttempt(input);
  try {
    const line = await getOnTheLine(run);
    if ('over' in line) return line.over;
    const end = line.end ?? (await endOfCall(run));
    return await conclude(run, end);
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(() => withdraw(run));
    throw error;
  }
}

/** Waits for a slot and dials, again where the slot proves to be another's. */
async function getOnTheLine(run: RunOfAttempt): Promise<{ over: PlaceCallResult } | { end?: AttemptEnd }> {
  for (let seconds = 1; ; seconds = Math.min(seconds * 2, 8)) {
    const turn = await takeTurn(run);
    if ('over' in turn) return turn;

    run.tell(`slot ${turn.slot}, dialling`);
    const line = await dial({ ...run.ids, ...turn });
    switch (line.kind) {
      case 'ON_THE_LINE':
        run.tell(`slot ${turn.slot}, on the line`);
        // What has ended by now is shown by its end: each showing is a write to Temporal's list.
        if (run.report === undefined) run.showStatus('IN_PROGRESS');
        return {};
      case 'NOT_PLACED':
        return { end: line.end };
      case 'OVER':
        return { over: line.status };
      case 'NUMBER_BUSY':
        run.tell('waiting for the number: an earlier attempt is being hung up');
        await sleep(seconds * 1_000, { summary: 'Wait for the number' });
        break;
      case 'SLOT_LOST':
        break;
    }
  }
}

async function takeTurn(run: RunOfAttempt): Promise<{ over: PlaceCallResult } | Turn> {
  // Forgotten before the question, not after: the grant's signal may come before the answer "wait".
  run.grant = undefined;
  const place = await enqueueAttempt({ ...run.ids, ...run.place });
  if (place.kind === 'OVER') return { over: place.status };
  if (place.kind === 'GRANTED') return { slot: place.slot };

  run.tell('waiting for a slot');
  for (;;) {
    const turn = await run.grantOrExpiry();
    if (turn !== undefined) return turn;
    const expired = await expireCall(run.ids);
    if (expired.kind === 'OVER') {
      run.showStatus('EXPIRED');
      return { over: expired.status };
    }
    run.expiresLater(expired.expiresAt);
  }
}

/** The provider's report, or what it answers when asked after MAX_CALL_SECONDS without one. */
async function endOfCall(run: RunOfAttempt): Promise<AttemptEnd> {
  const report = await run.reportOrDeadline();
  if (report !== undefined) return endOf(report);
  run.tell('no report in time: asking the provider');
  return await Promise.race([settleUnreported(run.ids), reportedLate(run)]);
}

async function reportedLate(run: RunOfAttempt): Promise<AttemptEnd> {
  await condition(() => run.report !== undefined);
  if (run.report === undefined) throw new Error('woken without a report');
  return endOf(run.report);
}

function endOf({ status, failureReason, durationSec, late, concluded }: CallReported): AttemptEnd {
  return { outcome: status, failureReason, durationSec, ...(late && { late }), ...(concluded && { concluded }) };
}

/** Writes down how the attempt ended and gives the slot to the next; a failure goes to the retry policy. */
async function conclude(run: RunOfAttempt, end: AttemptEnd): Promise<PlaceCallResult> {
  const verdict: Verdict = end.outcome === 'COMPLETED' ? 'COMPLETED' : end.final || !run.mayRetry ? 'FAILED' : 'RETRY';
  const { status } =
    end.concluded && verdict === 'COMPLETED'
      ? { status: 'COMPLETED' as const }
      : await CancellationScope.nonCancellable(() => finishAttempt(run.finish(end, verdict, run.retryInSeconds)));
  if (status === 'PENDING') {
    // Look for a cancel first: a retryable failure would lose it, and the call would go on.
    if (CancellationScope.current().consideredCancelled) await CancellationScope.current().cancelRequested;
    run.tell(`attempt failed: ${describe(end)}`);
    throw ApplicationFailure.retryable(describe(end), 'AttemptFailed');
  }
  if (status !== 'SUPERSEDED') run.showStatus(status, end.outcome);
  run.tell(status);
  if (status === 'FAILED') throw ApplicationFailure.nonRetryable(describe(end), 'CallFailed');
  return status;
}

/** The call was canceled: off the line first, then off the books. */
async function withdraw(run: RunOfAttempt): Promise<void> {
  run.tell('canceled: hanging up');
  const { offTheLine } = await hangUp(run.ids);
  if (!offTheLine) await run.reportOrDeadline();
  const end: AttemptEnd = { outcome: 'CANCELED', failureReason: 'canceled', durationSec: null };
  const { status } = await finishAttempt(run.finish(end, 'CANCELED'));
  // By the record it may have expired, which also cancels the workflow.
  if (status !== 'SUPERSEDED') run.showStatus(status, end.outcome);
  run.tell(status);
}

function describe(end: AttemptEnd): string {
  return end.failureReason === null ? end.outcome : `${end.outcome}: ${end.failureReason}`;
}
