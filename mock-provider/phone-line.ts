import { randomUUID } from 'node:crypto';
import { maskNumber } from '../src/call/phone-number';
import type { Logger } from '../src/log';
import { BoundedMap } from './bounded-map';
import type { Dial, DialPlan, Outcome } from './dial-plan';
import type { LineCounter } from './line-stats';

import type { WebhookSender } from './webhook-sender';

/** What `GET /api/v1/calls/:callId` answers. */
export interface CallReport {
  readonly callId: string;
  readonly status: 'IN_PROGRESS' | Outcome;
  readonly durationSec?: number;
  readonly failureReason?: string;
}

interface LiveCall {
  readonly callId: string;
  readonly dial: Dial;
  readonly plan: DialPlan;
  readonly placedAt: number;
  readonly timer: NodeJS.Timeout | undefined;
  readonly reported: Promise<void>;
  /** Told once each of the call's webhooks has been tried, which is at its end where it sends none. */
  readonly onReported: () => void;
}

interface EndedCall {
  readonly report: CallReport;
  readonly endedAt: number;
}

const REMEMBERED_ENDED_CALLS = 50_000;
const REMEMBERED_ENDED_MS = 3_600_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The calls themselves: on the line, then ended and remembered for a while. */
export class PhoneLine {
  readonly #live = new Map<string, LiveCall>();
  readonly #ended = new BoundedMap<string, EndedCall>(REMEMBERED_ENDED_CALLS);
  readonly #webhookTimers = new Set<NodeJS.Timeout>();
  readonly #counter: LineCounter;
  readonly #webhooks: WebhookSender;
  readonly #log: Logger;

  constructor(counter: LineCounter, webhooks: WebhookSender, log: Logger) {
    this.#counter = counter;
    this.#webhooks = webhooks;
    this.#log = log;
  }

  /** Webhooks that wait for their plan's `webhookAfterSeconds`. */
  get webhooksHeldBack(): number {
    return this.#webhookTimers.size;
  }

  /** @returns the call's id, and `reported`, fulfilled once each of its webhooks has been tried */
  place(dial: Dial, plan: DialPlan): { callId: string; reported: Promise<void> } {
    const callId = randomUUID();
    const milliseconds = plan.seconds * 1000;
    const end = () => {
      this.#end(callId, plan.outcome, plan.failureReason);
    };
    const timer = milliseconds > LONGEST_TIMER_MS ? undefined : setTimeout(end, milliseconds);
    let onReported = (): void => undefined;
    const reported = new Promise<void>((resolve) => (onReported = resolve));
    this.#live.set(callId, { callId, dial, plan, placedAt: Date.now(), timer, reported, onReported });
    void plan.endsWith?.finally(end);
    this.#counter.placed(dial);
    this.#log.info({ callId, number: maskNumber(dial.to), scriptId: dial.scriptId }, 'call placed');
    return { callId, reported };
  }

  find(callId: string): CallReport | undefined {
    if (this.#live.has(callId)) return { callId, status: 'IN_PROGRESS' };
    const ended = this.#ended.get(callId);
    return ended && Date.now() - ended.endedAt < REMEMBERED_ENDED_MS ? ended.report : undefined;
  }

  /** Ends the call if it is live. */
  hangUp(callId: string): void {
    this.#end(callId, 'FAILED', 'hung up');
  }

  /** Ends every live call. Fulfilled once the webhooks of each have been tried. */
  async drop(reason: string): Promise<void> {
    const live = [...this.#live.values()];
    for (const { callId } of live) this.#end(callId, 'FAILED', reason);
    await Promise.all(live.map(({ reported }) => reported));
  }

  close(): void {
    for (const { timer, onReported } of this.#live.values()) {
      clearTimeout(timer);
      onReported();
    }
    for (const timer of this.#webhookTimers) clearTimeout(timer);
    this.#webhookTimers.clear();
  }

  #end(callId: string, status: Outcome, failureReason: string | undefined): void {
    const call = this.#live.get(callId);
    if (!call) return;
    clearTimeout(call.timer);
    this.#live.delete(callId);
    this.#counter.ended(call.dial.to);
    const endedAt = Date.now();
    const durationSec = Math.round((endedAt - call.placedAt) / 1000);
    const report = { callId, status, durationSec, ...(failureReason === undefined ? {} : { failureReason }) };
    this.#ended.set(callId, { report, endedAt });
    this.#log.info({ number: maskNumber(call.dial.to), ...report }, 'call ended');
    this.#sendWebhooks(call, report, new Date(endedAt).toISOString());
  }

  #sendWebhooks({ callId, dial, plan, onReported }: LiveCall, report: CallReport, completedAt: string): void {
    const planned = plan.webhookStatuses ?? [plan.outcome];
    // A call that was hung up has another end than the planned one; how many webhooks it sends stays as planned.
    const statuses = report.status === plan.outcome ? planned : planned.map(() => report.status);
    const url = plan.webhookWithoutQuery === true ? withoutQuery(dial.webhookUrl) : dial.webhookUrl;
    const sendAll = async () => {
      for (const status of statuses) await this.#webhooks.send(callId, url, { ...report, status, completedAt });
      onReported();
    };
    if (plan.webhookAfterSeconds === undefined) {
      void sendAll();
      return;
    }
    const timer = setTimeout(() => {
      this.#webhookTimers.delete(timer);
      void sendAll();
    }, plan.webhookAfterSeconds * 1000);
    this.#webhookTimers.add(timer);
  }
}

function withoutQuery(url: string): string {
  const parsed = new URL(url);
  parsed.search = '';
  return parsed.href;
}
