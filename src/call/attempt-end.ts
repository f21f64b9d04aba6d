import type { AttemptOutcome, CallStatus } from './call';

/** How an attempt comes to its end: said by the workflow, or by the reconciler where the workflow is gone. */

/** Which attempt of which call something is for. */
export interface AttemptIds {
  callId: string;
  round: number;
  attemptId: string;
}

/** How an attempt ended. `final`: no other attempt can fare better. `late`: by a report that had to be told again.
 * `concluded`: it is in the record, and its slot given back. */
export interface AttemptEnd {
  outcome: AttemptOutcome;
  failureReason: string | null;
  durationSec: number | null;
  final?: boolean;
  late?: boolean;
  concluded?: boolean;
}

/** What the call becomes by the attempt's end, where it is still the call's to become. */
export type Verdict = 'COMPLETED' | 'FAILED' | 'RETRY' | 'CANCELED';

export interface Finish extends AttemptIds {
  end: AttemptEnd;
  verdict: Verdict;
  retryInSeconds: number;
  /** The run that says so, where it repeats another one: an operator reset the workflow. */
  resetRunId?: string;
  /** Set where the reconciler writes down the end, in place of a workflow that will not. */
  mend?: {
    /** Told in the call's timeline. */
    reason: string;
    /** The line as it was when it was taken to be down: where it has changed since, nothing is ended. */
    lineSeen: string;
  };
}

/** The call's status by the record, or that a later round has it. */
export interface Finished {
  status: Exclude<CallStatus, 'IN_PROGRESS'> | 'SUPERSEDED';
  /** Whether the attempt ended by this very step. */
  ended?: boolean;
}
