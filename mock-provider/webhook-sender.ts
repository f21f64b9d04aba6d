import { createHmac } from 'node:crypto';
import type { Logger } from '../src/log';

export type SignedContent = 'timestamp.body' | 'body';

export interface WebhookSenderOptions {
  readonly secret: string;
  readonly signedContent: SignedContent;
  readonly log: Logger;
  /** Wait before the second try, doubling up to `mostRetrySeconds`. */
  readonly firstRetrySeconds: number;
  readonly mostRetrySeconds: number;
  readonly giveUpAfterSeconds: number;
  readonly timeoutSeconds: number;
  readonly onDelivered: () => void;
}

/** The two headers of the contract, for a body sent at `timestamp` (unix seconds). */
export function signatureHeaders(body: string, timestamp: number, secret: string, content: SignedContent) {
  const signed = content === 'body' ? body : `${timestamp}.${body}`;
  return {
    'X-Webhook-Timestamp': String(timestamp),
    'X-Webhook-Signature': `sha256=${createHmac('sha256', secret).update(signed).digest('hex')}`,
  };
}

/** Delivers webhooks, each until it is answered with 2xx or it is hours old. */
export class WebhookSender {
  readonly #options: WebhookSenderOptions;
  // One controller a request: AbortSignal.any() over one long-lived signal leaks in Node 20.
  readonly #underWay = new Set<AbortController>();
  readonly #waiting = new Set<NodeJS.Timeout>();
  #closed = false;
  #pending = 0;

  constructor(options: WebhookSenderOptions) {
    this.#options = options;
  }

  get pending(): number {
    return this.#pending;
  }

  /** @returns when the first try is over, whatever became of it; further tries go on by themselves */
  async send(callId: string, url: string, payload: object): Promise<void> {
    this.#pending += 1;
    await this.#try({ callId, url, body: JSON.stringify(payload), startedAt: Date.now() }, 1);
  }

  close(): void {
    this.#closed = true;
    for (const request of this.#underWay) request.abort();
    for (const timer of this.#waiting) clearTimeout(timer);
    this.#waiting.clear();
  }

  async #try(webhook: Webhook, tries: number): Promise<void> {
    const problem = await this.#deliver(webhook);
    if (this.#closed) return;
    const { callId } = webhook;
    if (problem === undefined) {
      this.#pending -= 1;
      this.#options.onDelivered();
      this.#options.log.debug({ callId, tries }, 'webhook delivered');
      return;
    }
    const { firstRetrySeconds, mostRetrySeconds, giveUpAfterSeconds } = this.#options;
    const waitSeconds = Math.min(firstRetrySeconds * 2 ** (tries - 1), mostRetrySeconds);
    if (Date.now() - webhook.startedAt + waitSeconds * 1000 > giveUpAfterSeconds * 1000) {
      this.#pending -= 1;
      this.#options.log.error({ callId, tries, problem }, 'webhook given up');
      return;
    }
    this.#options.log.warn({ callId, tries, waitSeconds, problem }, 'webhook not delivered, will be tried again');
    const timer = setTimeout(() => {
      this.#waiting.delete(timer);
      void this.#try(webhook, tries + 1);
    }, waitSeconds * 1000);
    this.#waiting.add(timer);
  }

  /** @returns what went wrong, or nothing when it was answered with 2xx */
  async #deliver({ url, body }: Webhook): Promise<string | undefined> {
    const { secret, signedContent, timeoutSeconds } = this.#options;
    const timestamp = Math.floor(Date.now() / 1000);
    const request = new AbortController();
    this.#underWay.add(request);
    const timeout = setTimeout(() => {
      request.abort(new Error(`no answer within ${timeoutSeconds} s`));
    }, timeoutSeconds * 1000);
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          // Signed anew at every try: the receiver refuses a timestamp that is minutes old.
          ...signatureHeaders(body, timestamp, secret, signedContent),
        },
        body,
        redirect: 'manual',
        signal: request.signal,
      });
      // An unread body would keep its connection from being used again.
      await response.arrayBuffer();
      return response.ok ? undefined : `answered ${response.status}`;
    } catch (error) {
      return describeFailure(error);
    } finally {
      clearTimeout(timeout);
      this.#underWay.delete(request);
    }
  }
}

interface Webhook {
  readonly callId: string;
  readonly url: string;
  readonly body: string;
  readonly startedAt: number;
}

function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}
