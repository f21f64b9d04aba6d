import { Webhook } from 'standardwebhooks';
import { Agent, request, type Dispatcher } from 'undici';

import { maskNumber } from '../call/phone-number';
import { addressIn, mayReach } from '../call/webhook-url';
import type { Config } from '../config';
import type { TryOutcome } from '../store/webhook-deliveries';
import { noteInSpan, traceHeaders } from '../tracing';
import { checkedLookup, ForbiddenTargetError, type Resolve } from './checked-lookup';

export interface SignedMessage {
  url: string;
  /** `webhook-id` */
  id: string;
  body: string;
  /** Each signs. */
  secrets: readonly string[];
}

export interface Answer extends TryOutcome {
  /** What `Retry-After` asks for; 0 where it asks for nothing. */
  retryAfterSeconds: number;
}

/** More of an answer is not read. */
const maxResponseBytes = 16 * 1024;
/** More of it is not kept. */
const keptCharacters = 1_000;

type SenderSettings = Pick<Config, 'WEBHOOK_TIMEOUT_SECONDS' | 'WEBHOOK_ALLOWED_NETWORKS'>;

/**
 * Sends webhooks by the Standard Webhooks specification: signed, in bounded time, to where they may go, following no
 * redirect.
 */
export class WebhookSender {
  private readonly agent: Agent;

  constructor(
    private readonly settings: SenderSettings,
    resolve?: Resolve,
  ) {
    this.agent = new Agent({
      connect: { lookup: checkedLookup(settings.WEBHOOK_ALLOWED_NETWORKS, resolve) },
      keepAliveTimeout: 10_000,
    });
  }

  /** Never throws: what goes wrong is the try's outcome. */
  async send(message: SignedMessage): Promise<Answer> {
    const startedAt = performance.now();
    const answer = await this.tryToSend(message).catch((error: unknown) => ({
      ...{ status: null, response: null, retryAfterSeconds: 0 },
      error: this.wordsOf(error),
    }));
    return { ...answer, durationMs: Math.round(performance.now() - startedAt) };
  }

  close(): Promise<void> {
    return this.agent.destroy();
  }

  private async tryToSend({ url, id, body, secrets }: SignedMessage): Promise<Omit<Answer, 'durationMs'>> {
    const literal = addressIn(new URL(url).hostname);
    if (literal !== undefined && !mayReach(literal, this.settings.WEBHOOK_ALLOWED_NETWORKS)) {
      throw new ForbiddenTargetError();
    }
    const now = new Date();
    const response = await request(url, {
      method: 'POST',
      dispatcher: this.agent,
      signal: AbortSignal.timeout(this.settings.WEBHOOK_TIMEOUT_SECONDS * 1_000),
      headers: {
        'content-type': 'application/json',
        'user-agent': 'call-orchestrator-webhooks',
        ...traceHeaders(),
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
        'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, now, body)).join(' '),
      },
      body,
    });
    const { statusCode: status } = response;
    noteInSpan({ 'http.response.status_code': status });
    return {
      status,
      error: status >= 200 && status < 300 ? null : `answered ${status}`,
      response: await beginningOf(response.body),
      retryAfterSeconds: retryAfterSeconds(response.headers['retry-after'], now),
    };
  }

  /** For people, and without an address: see ForbiddenTargetError. */
  private wordsOf(error: unknown): string {
    if (error instanceof ForbiddenTargetError) return error.message;
    const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
    if (name === 'TimeoutError') return `no answer within ${this.settings.WEBHOOK_TIMEOUT_SECONDS} s`;
    return `no answer: ${typeof code === 'string' ? code : 'the connection broke'}`;
  }
}

/**
 * How the answer begins: the text that can be kept, numbers masked, for a receiver may repeat what it was sent. The status
 * counts, whatever becomes of the rest.
 */
async function beginningOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      // Leaving the loop closes the connection: nobody makes us read on.
      if (bytes >= maxResponseBytes) break;
    }
  } catch {
    // What came so far is what there is.
  }
  const text = Buffer.concat(chunks).subarray(0, maxResponseBytes).toString('utf8');
  return text
    .replaceAll('\0', '')
    .replaceAll(/\d{7,}/g, maskNumber)
    .slice(0, keptCharacters)
    .toWellFormed();
}

/** @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after — seconds, or a date */
function retryAfterSeconds(header: string | string[] | undefined, now: Date): number {
  if (typeof header !== 'string') return 0;
  if (/^\d{1,9}$/.test(header)) return Number(header);
  const milliseconds = Date.parse(header) - now.getTime();
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds / 1_000) : 0;
}
