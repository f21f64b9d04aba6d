import type { CallPayload, ReportStatus } from '../call/call';

/** What to dial. `attemptId` is the provider's idempotency key: the same one never places a second call. */
export interface DialRequest extends CallPayload {
  attemptId: string;
}

export type DialAnswer =
  /** The provider has the call, and will report its end to our webhook. */
  | { kind: 'ACCEPTED'; externalCallId: string }
  /** It said no, and no repeat of this attempt will change that. `final`: nor will another attempt. */
  | { kind: 'REFUSED'; reason: string; final: boolean }
  /** It said: not now. Nothing was placed. */
  | { kind: 'BUSY'; reason: string }
  /** Nobody knows: it may have been placed. Only the same key may be tried again. */
  | { kind: 'UNKNOWN'; reason: string };

/** What the provider says of a call when asked. */
export type CallState =
  | { kind: 'LIVE' }
  | { kind: 'ENDED'; status: ReportStatus; durationSec: number | null; failureReason: string | null }
  /** It does not know the call, or cannot be asked such things. */
  | { kind: 'UNKNOWN' };

/** Whoever places the calls. Its end of call comes by webhook, through `api/callbacks.ts`. */
export interface Provider {
  /** Never rejects: an answer that did not come is the answer UNKNOWN. */
  dial(request: DialRequest): Promise<DialAnswer>;
  /** Rejects while the provider is away. */
  lookUp(externalCallId: string): Promise<CallState>;
  /** @returns false where the provider cannot hang up; rejects while it is away */
  hangUp(externalCallId: string): Promise<boolean>;
}
