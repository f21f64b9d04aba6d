import { randomBytes } from 'node:crypto';
import type { Hono } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import { createLog, type Logger } from '../src/log';
import { BoundedMap } from './bounded-map';
import { createCallsApi, type DialRequest, type DialResult, type MissingStatus } from './calls-api';
import { type Decide, placesCall, seededOutcomes } from './dial-plan';
import { LineCounter, type LineStats } from './line-stats';
import { PhoneLine } from './phone-line';
import { type SignedContent, WebhookSender } from './webhook-sender';

export interface MockProviderOptions {
  readonly webhookSecret: string;
  readonly webhookSignedContent?: SignedContent;
  readonly log?: Logger;
  /** What becomes of each dial that is not a repeat; default: seeded outcomes of 10 to 30 seconds, 9 of 10 well. */
  readonly decide?: Decide;
  /** Places every request as a new call, whatever its Idempotency-Key: a provider that does not know keys. */
  readonly ignoreIdempotencyKeys?: boolean;
  /** Answers every look-up with this status: a provider without look-up. */
  readonly lookupMissing?: MissingStatus;
  /** Answers every hang-up with this status: a provider without hang-up. */
  readonly hangupMissing?: MissingStatus;
  readonly webhookRetry?: Partial<WebhookRetry>;
}

interface WebhookRetry {
  readonly firstSeconds: number;
  readonly mostSeconds: number;
  readonly giveUpAfterSeconds: number;
  readonly timeoutSeconds: number;
}

export interface MockProvider {
  readonly app: Hono<{ Bindings: HttpBindings }>;
  stats(): LineStats;
  /** Ends every live call as FAILED for this reason. Fulfilled once the webhooks of each have been tried. */
  drop(reason: string): Promise<void>;
  /** Forgets the line: no call ends, and no webhook is sent, after this. */
  close(): void;
}

const REMEMBERED_KEYS = 200_000;
const REMEMBERED_NUMBERS = 500_000;
const defaultRetry: WebhookRetry = {
  firstSeconds: 1,
  mostSeconds: 60,
  giveUpAfterSeconds: 12 * 3600,
  timeoutSeconds: 10,
};

/** The provider's side of the contract, in memory; `app` answers its HTTP requests. */
export function createMockProvider(options: MockProviderOptions): MockProvider {
  const log = options.log ?? createLog('provider', 'silent');
  const counter = new LineCounter();
  const webhooks = createWebhookSender(options, log, () => {
    counter.webhookDelivered();
  });
  const line = new PhoneLine(counter, webhooks, log);
  const pauses = new Pauses();
  const stats = () => counter.read(webhooks.pending + line.webhooksHeldBack);
  const app = createCallsApi({
    dial: createDialler(options, line, counter, log),
    find: (callId) => line.find(callId),
    hangUp: (callId) => line.hangUp(callId),
    stats,
    resetStats: () => counter.reset(),
    pause: (seconds) => pauses.wait(seconds),
    lookupMissing: options.lookupMissing,
    hangupMissing: options.hangupMissing,
  });
  const close = () => {
    line.close();
    webhooks.close();
    pauses.close();
  };
  return { app, stats, drop: (reason) => line.drop(reason), close };
}

function createWebhookSender(options: MockProviderOptions, log: Logger, onDelivered: () => void): WebhookSender {
  const retry = { ...defaultRetry, ...options.webhookRetry };
  return new WebhookSender({
    secret: options.webhookSecret,
    signedContent: options.webhookSignedContent ?? 'timestamp.body',
    log,
    firstRetrySeconds: retry.firstSeconds,
    mostRetrySeconds: retry.mostSeconds,
    giveUpAfterSeconds: retry.giveUpAfterSeconds,
    timeoutSeconds: retry.timeoutSeconds,
    onDelivered,
  });
}

function createDialler(options: MockProviderOptions, line: PhoneLine, counter: LineCounter, log: Logger) {
  const callIdsByKey = new BoundedMap<string, string>(REMEMBERED_KEYS);
  const dialsByNumber = new BoundedMap<string, number>(REMEMBERED_NUMBERS);
  const decide = options.decide ?? seededOutcomes(defaultOutcomes());

  return (request: DialRequest): DialResult => {
    const { idempotencyKey, to } = request;
    const known =
      idempotencyKey === undefined || options.ignoreIdempotencyKeys === true
        ? undefined
        : callIdsByKey.get(idempotencyKey);
    if (known !== undefined) {
      counter.replayed();
      log.info({ callId: known }, 'dial repeated, answered with the same call');
      return { callId: known, answer: acceptedAtOnce, reported: Promise.resolve() };
    }
    const dial = { ...request, nth: (dialsByNumber.get(to) ?? 0) + 1 };
    const plan = decide(dial);
    const answer = plan.answer ?? acceptedAtOnce;
    if (!placesCall(plan)) return { callId: '', answer, reported: Promise.resolve() };
    dialsByNumber.set(to, dial.nth);
    const { callId, reported } = line.place(dial, plan);
    if (idempotencyKey !== undefined) callIdsByKey.set(idempotencyKey, callId);
    return { callId, answer, reported };
  };
}

const acceptedAtOnce = { kind: 'accepted' } as const;

function defaultOutcomes() {
  return { seed: randomBytes(8).toString('hex'), minSeconds: 10, maxSeconds: 30, successRate: 0.9 };
}

/** Waits that end early once the provider is closed. */
class Pauses {
  readonly #waiting = new Map<NodeJS.Timeout, () => void>();

  wait(seconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(timer);
        resolve();
      }, seconds * 1000);
      this.#waiting.set(timer, resolve);
    });
  }

  close(): void {
    for (const [timer, resolve] of this.#waiting) {
      clearTimeout(timer);
      resolve();
    }
    this.#waiting.clear();
  }
}
