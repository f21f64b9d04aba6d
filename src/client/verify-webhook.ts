import { Webhook, WebhookVerificationError } from 'standardwebhooks';

import type { CallEvent, CallEventType } from './answers';

/** What a webhook says. `webhook-id` is the same each time it is sent: keep it to recognise repeats. */
export interface WebhookMessage {
  type: CallEventType;
  timestamp: string;
  data: CallEvent;
}

/** The signature is wrong, stale, or made with another secret: answer 401 and do nothing. */
export { WebhookVerificationError };

/**
 * Checks that a webhook comes from the service, and reads it.
 *
 * @param body as it came, byte for byte: what was parsed and written again has another signature
 * @param headers of the request, of `node:http` or `fetch`
 * @param secrets `whsec_…`; several while one is being replaced, any of which may have signed
 * @throws WebhookVerificationError
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function verifyWebhook(
  body: string | Uint8Array,
  headers: Headers | Readonly<Record<string, string | string[] | undefined>>,
  secrets: string | readonly string[],
): WebhookMessage {
  const text = typeof body === 'string' ? body : Buffer.from(body).toString('utf8');
  const given = typeof secrets === 'string' ? [secrets] : secrets;
  if (given.length === 0) throw new TypeError('There is no secret to verify the webhook by');
  const flat = flatHeaders(headers);
  const failures: unknown[] = [];
  for (const secret of given) {
    try {
      return new Webhook(secret).verify(text, flat) as WebhookMessage;
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      failures.push(error);
    }
  }
  throw failures[0];
}

function flatHeaders(
  headers: Headers | Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  if (headers instanceof Headers) return Object.fromEntries(headers);
  const pairs = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(' ') : value]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined)) as Record<string, string>;
}
