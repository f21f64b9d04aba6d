import { createHmac, timingSafeEqual } from 'node:crypto';

import { CallError } from '../call/errors';
import type { Config } from '../config';

const toleranceSeconds = 5 * 60;

export interface SignedRequest {
  /** The body as it came over the wire: one parsed and written again has another signature. */
  rawBody: Buffer;
  /** `X-Webhook-Signature`: `sha256=<hex>`. */
  signature: string | undefined;
  /** `X-Webhook-Timestamp`: unix seconds. */
  timestamp: string | undefined;
}

/**
 * Checks who sent a webhook, and when: HMAC-SHA256 over `<timestamp>.<raw body>`, or over the raw body alone where the
 * provider signs so. There the timestamp is not signed and so proves nothing, but one that is sent must be fresh.
 *
 * @throws CallError INVALID_SIGNATURE
 */
export function verifySignature(
  request: SignedRequest,
  settings: Pick<Config, 'WEBHOOK_SECRET' | 'WEBHOOK_SIGNED_CONTENT'>,
  now: Date = new Date(),
): void {
  const { rawBody, signature, timestamp } = request;
  const timestampSigned = settings.WEBHOOK_SIGNED_CONTENT === 'timestamp.body';
  if (timestampSigned && timestamp === undefined) refuse('X-Webhook-Timestamp is missing.');
  if (timestamp !== undefined && !isFresh(timestamp, now)) {
    refuse(`X-Webhook-Timestamp must be unix seconds, at most ${toleranceSeconds} seconds off.`);
  }
  const claimed = /^sha256=([0-9a-f]{64})$/i.exec(signature ?? '')?.[1];
  if (claimed === undefined) refuse('X-Webhook-Signature must be sha256=<64 hexadecimal digits>.');

  const hmac = createHmac('sha256', settings.WEBHOOK_SECRET);
  if (timestampSigned) hmac.update(`${timestamp ?? ''}.`);
  const expected = hmac.update(rawBody).digest();
  if (!timingSafeEqual(expected, Buffer.from(claimed, 'hex'))) refuse('The signature does not match the body.');
}

function isFresh(timestamp: string, now: Date): boolean {
  return /^\d{1,12}$/.test(timestamp) && Math.abs(now.getTime() / 1_000 - Number(timestamp)) <= toleranceSeconds;
}

function refuse(detail: string): never {
  throw new CallError('INVALID_SIGNATURE', detail);
}
