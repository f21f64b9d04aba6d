import { defineSearchAttributeKey } from '@temporalio/common';
import {
  condition,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';

import type { AttemptEnd, AttemptIds, Finish, Verdict } from '../call/attempt-end';
import { backoffSeconds } from '../call/backoff';
import type { AttemptOutcome, CallStatus } from '../call/call';
import { searchAttributes } from '../call/names';
import {
  isCallEdited,
  isCallReported,
  isSlotGranted,
  type CallReported,
  type PlaceCallInput,
} from '../call/workflow-messages';
import { attemptInHand, callEdited, callReported, slotGranted } from './messages';

const statusKey = defineSearchAttributeKey(searchAttributes.status, 'KEYWORD');
const scriptIdKey = defineSearchAttributeKey(searchAttributes.scriptId, 'KEYWORD');
const outcomeKey = defineSearchAttributeKey(searchAttributes.outcome, 'KEYWORD');
const attemptKey = defineSearchAttributeKey(searchAttributes.attempt, 'INT');

/** The slot that the attempt may claim. `late`: it had to be told again. */
export interface Turn {
  slot: number;
  late?: boolean;
}

/**
 * What one run of the workflow knows: its attempt, and what it was told of it. The attempt's id is its own, never the
 * attempt's number, so that a signal for another attempt, late or stale, is known as such and ignored.
 */
export class RunOfAttempt {
  readonly attemptId = uuid4();
  readonly callId: string;
  readonly round: number;
  /** 1 for the call's first attempt. */
  readonly number = workflowInfo().attempt;
  grant: Turn | undefined;
  report: CallReported | undefined;
  private title: string;
  private expiresAt: number;

  constructor(private readonly input: PlaceCallInput) {
    this.callId = input.callId;
    this.round = input.round;
    this.title = input.title;
    this.expiresAt = Date.parse(input.expiresAt);

    setHandler(attemptInHand, () => this.attemptId);
    // Anybody may signal anything by hand; a handler that throws would keep the workflow from ever going on.
    setHandler(slotGranted, (grant) => {
      if (!isSlotGranted(grant) || grant.attemptId !== this.attemptId) return;
      // What was heard first counts: told twice, it was late only if the first word of it was.
      if (this.grant?.slot !== grant.slot) this.grant = { slot: grant.slot, late: grant.late === true };
    });
    setHandler(callReported, (report) => {
      if (isCallReported(report) && report.attemptId === this.attemptId) this.report ??= report;
    });
    setHandler(callEdited, (edited) => {
      if (!isCallEdited(edited)) return;
      this.title = edited.title;
      this.expiresAt = Date.parse(edited.expiresAt);
      upsertSearchAttributes([{ key: scriptIdKey, value: edited.scriptId }]);
    });
    // What a run sets does not carry to the next, and the values of the start are those of attempt 1.
    if (this.number > 1) upsertSearchAttributes([{ key: attemptKey, value: this.number }]);
    this.tell('waiting for a slot');
  }

  get ids(): AttemptIds {
    return { callId: this.callId, round: this.round, attemptId: this.attemptId };
  }

  /** Where this run stands in the workflow's chain of runs, and how that chain began. */
  get place(): { runId: string; originalRunId: string; runNumber: number; startedLate?: boolean } {
    const { runId, originalExecutionRunId } = workflowInfo();
    const startedLate = this.input.startedLate === true && this.number === 1;
    return {
      runId,
      originalRunId: originalExecutionRunId,
      runNumber: this.number,
      ...(startedLate && { startedLate }),
    };
  }

  /** This run's word on how its attempt ended. */
  finish(end: AttemptEnd, verdict: Verdict, retryInSeconds = 0): Finish {
    const { runId, originalExecutionRunId } = workflowInfo();
    const reset = runId !== originalExecutionRunId;
    return { ...this.ids, end, verdict, retryInSeconds, ...(reset && { resetRunId: runId }) };
  }

  /** Whether Temporal's retry policy will run the workflow again when this run fails. */
  get mayRetry(): boolean {
    return this.number < (workflowInfo().retryPolicy?.maximumAttempts ?? Infinity);
  }

  /** Seconds until the next run, should this one fail. */
  get retryInSeconds(): number {
    const policy = workflowInfo().retryPolicy;
    return backoffSeconds(
      { initialSeconds: Number(policy?.initialInterval ?? 1_000) / 1_000, backoff: policy?.backoffCoefficient ?? 2 },
      this.number,
    );
  }

  /** Waits for the grant. @returns it, or undefined once the call has expired by what is known here */
  async grantOrExpiry(): Promise<Turn | undefined> {
    while (this.grant === undefined) {
      const expiresAt = this.expiresAt;
      const changed = () => this.grant !== undefined || this.expiresAt !== expiresAt;
      const left = Math.max(expiresAt - Date.now(), 1);
      if (!(await this.within(left, 'Until the call expires', changed))) return undefined;
    }
    return this.grant;
  }

  /** The record knows a later expiry than this run did. */
  expiresLater(expiresAt: string): void {
    this.expiresAt = Date.parse(expiresAt);
  }

  /** @returns the report, or undefined where none came within MAX_CALL_SECONDS */
  async reportOrDeadline(): Promise<CallReported | undefined> {
    const deadline = 'No report by then: ask the provider';
    await this.within(this.input.maxCallSeconds * 1_000, deadline, () => this.report !== undefined);
    return this.report;
  }

  /**
   * Waits for something, and no longer than this. The timer is left to the end of the run: to cancel it, as `condition`
   * with a timeout does, would be one event more.
   *
   * @returns whether it came
   */
  private async within(milliseconds: number, summary: string, came: () => boolean): Promise<boolean> {
    if (came()) return true;
    return await Promise.race([condition(came).then(() => true), sleep(milliseconds, { summary }).then(() => false)]);
  }

  /** Shows in the Web UI what the call is doing. */
  tell(doing: string): void {
    const total = workflowInfo().retryPolicy?.maximumAttempts ?? this.number;
    setCurrentDetails(`**${this.title}** · attempt ${this.number} of ${total} · ${doing}`);
  }

  /** @param outcome of the attempt that the call ended with */
  showStatus(status: CallStatus, outcome?: AttemptOutcome): void {
    const shown = outcome === undefined ? [] : [{ key: outcomeKey, value: outcome }];
    upsertSearchAttributes([{ key: statusKey, value: status }, ...shown]);
  }
}
