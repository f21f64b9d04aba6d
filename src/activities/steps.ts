import type { AttemptOutcome, CallStatus } from '../call/call';
import type { PlaceCallResult } from '../call/workflow-messages';

/** Which attempt of which call a step is for. */
export interface AttemptIds {
  callId: string;
  round: number;
  attemptId: string;
}

/** The call needs nothing more from this run: it ended, or a later round has it. */
export interface Over {
  kind: 'OVER';
  status: PlaceCallResult;
}

export type Place = { kind: 'GRANTED'; slot: number } | { kind: 'WAITING' } | Over;

/** How an attempt ended. `final`: no other attempt can fare better. */
export interface AttemptEnd {
  outcome: AttemptOutcome;
  failureReason: string | null;
  durationSec: number | null;
  final?: boolean;
}

export type Line =
  /** The provider has it, or may have it: its report is to be waited for. */
  | { kind: 'ON_THE_LINE' }
  | { kind: 'NOT_PLACED'; end: AttemptEnd }
  /** The slot is another attempt's by the record: queue again. */
  | { kind: 'SLOT_LOST' }
  /** Another attempt to the number is still on the line: queue again later. */
  | { kind: 'NUMBER_BUSY' }
  | Over;

/** What the call becomes by the attempt's end, where it is still the call's to become. */
export type Verdict = 'COMPLETED' | 'FAILED' | 'RETRY' | 'CANCELED';

export interface Finish extends AttemptIds {
  end: AttemptEnd;
  verdict: Verdict;
  retryInSeconds: number;
}

/** The call's status by the record, or that a later round has it. */
export interface Finished {
  status: Exclude<CallStatus, 'IN_PROGRESS'> | 'SUPERSEDED';
}

/** What the reconciler does, each duty in a file of `src/reconciler`. */
export type ReconcilerDuty =
  | 'handOffLeftBehind'
  | 'deliverReports'
  | 'resendGrants'
  | 'expireOverdue'
  | 'endOrphanedAttempts'
  | 'mendWaitingCalls'
  | 'auditSlots';
