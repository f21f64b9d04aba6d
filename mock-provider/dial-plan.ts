import { createHash } from 'node:crypto';

export const outcomes = ['COMPLETED', 'FAILED', 'BUSY', 'NO_ANSWER'] as const;
export type Outcome = (typeof outcomes)[number];

/** What the caller asked for. */
export interface Dial {
  readonly to: string;
  readonly scriptId: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly webhookUrl: string;
  readonly idempotencyKey: string | undefined;
  /** The caller's trace, as W3C Trace Context has it. */
  readonly traceparent?: string | undefined;
  /** 1 for the first dial of this number that is placed, 2 for the second, … */
  readonly nth: number;
}

/**
 * How the provider answers the dial itself.
 * - `accepted`: 202, after `afterSeconds`, or only once the call has ended and its webhooks have been tried
 * - `lost`: the call is placed, then the connection is cut without an answer
 * - `refused`: nothing is placed; `status` is answered, with `Retry-After` where given
 * - `cut`: nothing is placed and the connection is cut without an answer
 */
export type Answer =
  | { readonly kind: 'accepted'; readonly afterSeconds?: number; readonly afterWebhooks?: boolean }
  | { readonly kind: 'lost'; readonly afterSeconds?: number }
  | { readonly kind: 'refused'; readonly status: number; readonly reason?: string; readonly retryAfterSeconds?: number }
  | { readonly kind: 'cut' };

/** Everything that will happen to one dial. */
export interface DialPlan {
  readonly outcome: Outcome;
  /** Time on the line; `Infinity` stays until it is hung up. */
  readonly seconds: number;
  /** Ends it before its time, once this settles. */
  readonly endsWith?: Promise<unknown>;
  readonly failureReason?: string;
  /** Default: accepted at once. A repeat of a known key is always accepted at once. */
  readonly answer?: Answer;
  /** The webhooks to send, in this order; default: one with the outcome. `[]` sends none. */
  readonly webhookStatuses?: readonly Outcome[];
  /** How long after the call's end its webhooks set out. */
  readonly webhookAfterSeconds?: number;
  /** Sends the webhook to the URL without its query. */
  readonly webhookWithoutQuery?: boolean;
}

export type Decide = (dial: Dial) => DialPlan;

/** Whether the dial comes on the line at all. */
export function placesCall({ answer }: DialPlan): boolean {
  return answer?.kind !== 'refused' && answer?.kind !== 'cut';
}

export interface SeededOutcomes {
  readonly seed: string;
  readonly minSeconds: number;
  readonly maxSeconds: number;
  readonly successRate: number;
}

const failureReasons = {
  BUSY: ['The line was busy', 'The person was on another call'],
  NO_ANSWER: ['Nobody picked up', 'The phone rang out', 'The phone was switched off or out of reach'],
  FAILED: ['The carrier dropped the call', 'The call was cut off before the script ended', 'No audio from the far end'],
} as const;
const failures = ['BUSY', 'NO_ANSWER', 'FAILED'] as const;

/**
 * Plans that depend on the seed, the number and how often it has been dialled, and on nothing else: whatever order
 * the dials of different numbers come in, the same seed gives each the same outcome.
 */
export function seededOutcomes({ seed, minSeconds, maxSeconds, successRate }: SeededOutcomes): Decide {
  return ({ to, nth }) => {
    const draws = drawFractions(`${seed}\n${to}\n${nth}`);
    const seconds = minSeconds + draws.duration * (maxSeconds - minSeconds);
    if (draws.success < successRate) return { outcome: 'COMPLETED', seconds };
    const outcome = pick(failures, draws.failure);
    return { outcome, seconds, failureReason: pick(failureReasons[outcome], draws.reason) };
  };
}

/** Four independent fractions in [0, 1), the same ones for the same text. */
function drawFractions(text: string) {
  const digest = createHash('sha256').update(text).digest();
  const fraction = (index: number) => digest.readUInt32BE(index * 4) / 2 ** 32;
  return { success: fraction(0), duration: fraction(1), failure: fraction(2), reason: fraction(3) };
}

function pick<Choice>(choices: readonly [Choice, ...Choice[]], fraction: number): Choice {
  return choices[Math.floor(fraction * choices.length)] ?? choices[0];
}
