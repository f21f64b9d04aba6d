import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { Histogram } from 'prom-client';

import { webhookId, webhookMessage, type DeliverWebhookInput, type DeliveryLook } from '../call/webhook';
import type { Config } from '../config';
import { momentBuckets, registry } from '../metrics';
import type { Database } from '../store/database';
import {
  beginTry,
  endTry,
  failDelivery,
  readDelivery,
  type DeliveryInHand,
  type EndedTry,
} from '../store/webhook-deliveries';
import { inCall, SpanKind } from '../tracing';
import { liveSecrets } from '../webhooks/secrets';
import type { Answer, WebhookSender } from '../webhooks/webhook-sender';

export interface TryDeliveryDeps {
  db: Database;
  sender: Pick<WebhookSender, 'send'>;
  config: Pick<Config, 'WEBHOOK_SIGNING_SECRETS' | 'WEBHOOK_RETRY_SCHEDULE_SECONDS' | 'WEBHOOK_DISABLE_AFTER_DAYS'>;
}

const trySeconds = new Histogram({
  name: 'orchestrator_webhook_try_duration_seconds',
  help: 'Tries of webhooks to clients, by what comes of them: DELIVERED, RETRY, FAILED for good, or GONE with its endpoint',
  labelNames: ['verdict'],
  buckets: momentBuckets,
  registers: [registry],
});

/** Of those that a worker may do at once: a receiver that does not answer leaves the others room. */
const atOncePerTarget = 20;
/** By up to so much a wait is longer, so that what failed together does not come again together. */
const jitter = 0.1;
/** No receiver keeps a delivery waiting for longer. */
const longestRetryAfterSeconds = 86_400;
/** Between two looks for room, by the look's number: from half a second to half a minute, spread. */
const busySeconds = () => Math.min(0.5 * 2 ** (activityInfo().attempt - 1), 30) * (1 + Math.random()) * 0.75;
/** A timer of Temporal's and PostgreSQL's clock may differ by so much. */
const dueToleranceSeconds = 0.05;

/**
 * Looks at a delivery and, where its try is due, makes it. What is due is the record's to say, so that this is safe at any
 * time: a run that repeats, or one that an operator reset, sends nothing twice but for a try whose outcome was lost.
 */
export function tryDelivery({ db, sender, config }: TryDeliveryDeps) {
  const underWay = new Map<string, number>();
  return async (input: DeliverWebhookInput): Promise<DeliveryLook> => {
    const delivery = await readDelivery(db, input.deliveryId);
    if (delivery === undefined) return { kind: 'OVER', state: 'GONE' };
    const { row, endpoint } = delivery;
    if (row.round !== input.round) return { kind: 'OVER', state: 'SUPERSEDED' };
    if (row.state !== 'PENDING') return { kind: 'OVER', state: row.state };
    if (delivery.dueInSeconds > dueToleranceSeconds) return { kind: 'WAIT', seconds: delivery.dueInSeconds };
    const unwanted = unwantedBecause(endpoint);
    if (unwanted !== undefined) {
      await failDelivery(db, input, unwanted);
      return { kind: 'OVER', state: 'FAILED' };
    }
    const url = endpoint?.url ?? row.url;
    return oneOfFew(underWay, row.endpoint_id ?? new URL(url).host, async () => {
      const number = await beginTry(db, input, url);
      if (number === undefined) return { kind: 'WAIT', seconds: 0 };
      const secrets = endpoint ? liveSecrets(endpoint.secrets) : config.WEBHOOK_SIGNING_SECRETS;
      const about = { kind: SpanKind.CLIENT, attributes: { 'event.type': delivery.event.type, 'webhook.try': number } };
      const answer = await inCall(delivery.event.callId, 'send webhook', about, () =>
        sender.send({ url, secrets, ...messageOf(delivery) }),
      );
      const verdict = verdictOn(answer, config.WEBHOOK_RETRY_SCHEDULE_SECONDS[row.round_tries]);
      trySeconds.observe({ verdict: verdict.kind }, answer.durationMs / 1_000);
      await endTry(db, input, { number, outcome: answer, verdict }, config);
      if (verdict.kind === 'RETRY') return { kind: 'WAIT', seconds: verdict.seconds };
      return { kind: 'OVER', state: verdict.kind === 'DELIVERED' ? 'DELIVERED' : 'FAILED' };
    });
  };
}

function unwantedBecause(endpoint: DeliveryInHand['endpoint']): string | undefined {
  if (endpoint === null) return 'endpoint deleted';
  const reason = endpoint?.disabledReason ?? null;
  return reason === null ? undefined : `endpoint disabled: ${reason}`;
}

/** Made when it is sent: what was forgotten meanwhile is not sent, and nothing is kept twice. */
function messageOf({ event }: DeliveryInHand): { id: string; body: string } {
  return { id: webhookId(event.eventId), body: JSON.stringify(webhookMessage(event)) };
}

/** @param wait seconds until the next try by the schedule; undefined where this was the last */
export function verdictOn({ status, error, retryAfterSeconds }: Answer, wait: number | undefined): EndedTry['verdict'] {
  if (error === null) return { kind: 'DELIVERED' };
  if (status === 410) return { kind: 'GONE' };
  if (wait === undefined) return { kind: 'FAILED' };
  const asked = Math.min(retryAfterSeconds, longestRetryAfterSeconds);
  return { kind: 'RETRY', seconds: Math.max(wait, asked) * (1 + Math.random() * jitter) };
}

/**
 * @throws where as many as may be are under way to the target: Temporal has it tried again in a while, unnoted. The while
 *   grows, so that thousands that wait for one receiver are no load
 */
async function oneOfFew<T>(underWay: Map<string, number>, target: string, work: () => Promise<T>): Promise<T> {
  const before = underWay.get(target) ?? 0;
  if (before >= atOncePerTarget) {
    throw ApplicationFailure.create({
      message: 'enough is under way to this receiver',
      type: 'ReceiverBusy',
      nextRetryDelay: busySeconds() * 1_000,
      category: ApplicationFailureCategory.BENIGN,
    });
  }
  underWay.set(target, before + 1);
  try {
    return await work();
  } finally {
    const now = (underWay.get(target) ?? 1) - 1;
    if (now === 0) underWay.delete(target);
    else underWay.set(target, now);
  }
}
