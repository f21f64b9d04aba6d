import type { FinalStatus, ReportStatus } from './call';

/** The workflow that carries a call, its input and result, and the signals it takes. One run is one attempt. */
export const placeCallWorkflow = 'placeCall';

export interface PlaceCallInput {
  callId: string;
  /** The call's round: a run of an earlier one ends at once. */
  round: number;
  /** What a person reads in the Web UI: script and masked number. */
  title: string;
  expiresAt: string;
  /** Seconds an attempt may last without a report before the provider is asked. */
  maxCallSeconds: number;
}

/** The call's final status; a FAILED call ends its last run with a failure instead, so that Temporal shows it as failed. */
export type PlaceCallResult = FinalStatus | 'SUPERSEDED';

/** Whoever freed a slot tells the next attempt in the queue that the slot is its own. */
export interface SlotGranted {
  attemptId: string;
  slot: number;
}

/** The provider's report of an attempt's end, stored before it is signalled. */
export interface CallReported {
  attemptId: string;
  status: ReportStatus;
  durationSec: number | null;
  failureReason: string | null;
}

/** A person changed the call while it was PENDING. */
export interface CallEdited {
  title: string;
  scriptId: string;
  expiresAt: string;
}

export const signalNames = {
  slotGranted: 'slotGranted',
  callReported: 'callReported',
  callEdited: 'callEdited',
} as const;
