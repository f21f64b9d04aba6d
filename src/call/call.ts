/** A call's status as the outside sees it; `call/transitions.ts` says which may follow which. */
export const callStatuses = ['PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'EXPIRED', 'CANCELED'] as const;
export type CallStatus = (typeof callStatuses)[number];

export type FinalStatus = Exclude<CallStatus, 'PENDING' | 'IN_PROGRESS'>;

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type Metadata = Record<string, Json>;

/**
 * How soon a call is served: a whole number, the lower the sooner. Scale and default are those of Temporal's Priority
 * key, so that nobody has to learn two.
 */
export const priorities = { soonest: 1, usual: 3, latest: 5 } as const;

/** What to do: whom to call with which script. */
export interface CallPayload {
  /** E.164, with its plus sign. */
  to: string;
  scriptId: string;
  metadata: Metadata;
}

/** One request to phone one number with one script, as every door shows it. Times are ISO 8601 in UTC. */
export interface Call {
  id: string;
  payload: CallPayload;
  /** Fixed at acceptance; 3 where the request named none. */
  priority: number;
  status: CallStatus;
  /** Attempts begun, that is, which held a slot. */
  attempts: number;
  maxAttempts: number;
  lastError: string | null;
  /** The provider's id of the latest attempt. */
  externalCallId: string | null;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  updatedAt: string;
  expiresAt: string;
  nextAttemptAt: string | null;
  /** Where its events are sent beside the registered endpoints. */
  webhookUrl: string | null;
  /** When its personal data was forgotten; `payload.to` is `forgotten` since. */
  forgottenAt: string | null;
}

/** Stands where a number stood. */
export const forgotten = 'forgotten';

/** How an attempt ended. The first four are the provider's words; the others are ours. */
export const attemptOutcomes = [
  'COMPLETED',
  'FAILED',
  'BUSY',
  'NO_ANSWER',
  'REFUSED',
  'UNREACHABLE',
  'UNREPORTED',
  'CANCELED',
] as const;
export type AttemptOutcome = (typeof attemptOutcomes)[number];

/** One try at a call: it held a numbered slot from `startedAt` to `endedAt`. */
export interface Attempt {
  id: string;
  callId: string;
  /** 1 for the first attempt since the call was accepted or last retried. */
  number: number;
  slot: number;
  externalCallId: string | null;
  outcome: AttemptOutcome | null;
  failureReason: string | null;
  durationSec: number | null;
  queuedAt: string;
  startedAt: string;
  endedAt: string | null;
}

/** What the provider reports of a call's end. */
export const reportStatuses = ['COMPLETED', 'FAILED', 'BUSY', 'NO_ANSWER'] as const;
export type ReportStatus = (typeof reportStatuses)[number];
