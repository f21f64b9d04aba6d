import type { CallEvent, CallRejectedEvent } from './event';

/**
 * Webhooks to clients, as the Standard Webhooks specification has them.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */

/** What is promised of a webhook, and how far it has come. FAILED: given up; it can be delivered anew. */
export const webhookDeliveryStates = ['PENDING', 'DELIVERED', 'FAILED'] as const;
export type WebhookDeliveryState = (typeof webhookDeliveryStates)[number];

/** What is sent: `timestamp` is when the event happened, not when it is sent. */
export interface WebhookMessage {
  type: string;
  timestamp: string;
  data: CallEvent | CallRejectedEvent;
}

export function webhookMessage(event: CallEvent | CallRejectedEvent): WebhookMessage {
  return { type: event.type, timestamp: event.at, data: event };
}

/** The `webhook-id`: the event's, so the same on every try, to every receiver. */
export function webhookId(eventId: string): string {
  return `msg_${eventId.replaceAll('-', '')}`;
}

/** `whsec_` and the base64 of 24 to 64 random bytes. */
export function isWebhookSecret(text: string): boolean {
  const base64 = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1];
  if (base64 === undefined || base64.length % 4 !== 0) return false;
  const bytes = Buffer.from(base64, 'base64').length;
  return bytes >= 24 && bytes <= 64;
}

/** The workflow that sees to one delivery, its input and its result. */
export const deliverWebhookWorkflow = 'deliverWebhook';

export interface DeliverWebhookInput {
  deliveryId: string;
  /** The delivery's round: a run of an earlier one ends at its next look. */
  round: number;
}

/** How a look at a delivery ended: it needs nothing more, by its record; or it is to be looked at again then. */
export type DeliveryLook = { kind: 'OVER'; state: DeliveryEnd } | { kind: 'WAIT'; seconds: number };

/** SUPERSEDED: a later round has it. GONE: it was deleted. */
export type DeliveryEnd = 'DELIVERED' | 'FAILED' | 'SUPERSEDED' | 'GONE';
