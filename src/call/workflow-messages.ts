import { reportStatuses, type CallStatus, type FinalStatus, type ReportStatus } from './call';
import { isFinal } from './transitions';

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
  /** Whoever accepted the call did not start it: the reconciler did. */
  startedLate?: boolean;
}

/** The call's final status; a FAILED call ends its last run with a failure instead, so that Temporal shows it as failed. */
export type PlaceCallResult = FinalStatus | 'SUPERSEDED';

/** What a run of that round comes to where its call needs nothing more from it: another run may have the say. */
export function overStatus(call: { round: number; status: CallStatus } | undefined, round: number): PlaceCallResult {
  return call?.round === round && isFinal(call.status) ? call.status : 'SUPERSEDED';
}

/** Whoever freed a slot tells the next attempt in the queue that the slot is its own. */
export interface SlotGranted {
  attemptId: string;
  slot: number;
  /** Told again by the reconciler: the first telling may not have been heard. */
  late?: boolean;
}

/** The provider's report of an attempt's end, stored before it is signalled. */
export interface CallReported {
  attemptId: string;
  status: ReportStatus;
  durationSec: number | null;
  failureReason: string | null;
  /** Told by the reconciler: whoever stored the report did not. */
  late?: boolean;
  /** The attempt's end is in the record, and its slot given back: nothing is left to do. */
  concluded?: boolean;
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

/** Asks a run for the id of the attempt that it carries out: a reset run may carry on with an earlier run's. */
export const attemptIdQuery = 'attemptId';

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const isTextOrNull = (value: unknown): boolean => value === null || typeof value === 'string';

export function isSlotGranted(value: unknown): value is SlotGranted {
  return isFields(value) && typeof value['attemptId'] === 'string' && Number.isSafeInteger(value['slot']);
}

export function isCallReported(value: unknown): value is CallReported {
  return (
    isFields(value) &&
    typeof value['attemptId'] === 'string' &&
    (reportStatuses as readonly unknown[]).includes(value['status']) &&
    (value['durationSec'] === null || Number.isSafeInteger(value['durationSec'])) &&
    isTextOrNull(value['failureReason'])
  );
}

export function isCallEdited(value: unknown): value is CallEdited {
  return (
    isFields(value) &&
    typeof value['title'] === 'string' &&
    typeof value['scriptId'] === 'string' &&
    typeof value['expiresAt'] === 'string' &&
    !Number.isNaN(Date.parse(value['expiresAt']))
  );
}
