import type { Attempt, Call, CallStatus } from './call';

export const callEventTypes = [
  'call.accepted',
  'call.rejected',
  'call.updated',
  'attempt.started',
  'attempt.ended',
  'call.completed',
  'call.failed',
  'call.expired',
  'call.canceled',
] as const;
export type CallEventType = (typeof callEventTypes)[number];

/** The event that tells of a call reaching a final status. */
export const finalEventTypes = {
  COMPLETED: 'call.completed',
  FAILED: 'call.failed',
  EXPIRED: 'call.expired',
  CANCELED: 'call.canceled',
} as const satisfies Partial<Record<CallStatus, CallEventType>>;

/** One thing that happened to a call: a line of its timeline, and a message on `calls.events`. */
export interface CallEvent {
  /** The same however often the event is sent. */
  eventId: string;
  callId: string;
  /** 1, 2, 3 … within the call. */
  sequence: number;
  type: Exclude<CallEventType, 'call.rejected'>;
  at: string;
  /** The call as it was right after. */
  call: Call;
  attempt?: Attempt;
  /** Why, where the type alone does not say: of `call.updated`. */
  reason?: string;
}

/** A message on `calls.requests` of which no call was made. */
export interface CallRejectedEvent {
  eventId: string;
  callId: null;
  sequence: 1;
  type: 'call.rejected';
  at: string;
  requestId: string | null;
  /** A code of the error catalogue, or DUPLICATE_REQUEST. */
  reason: string;
  activeCallId?: string;
}
