import { BoundedMap } from './bounded-map';
import type { Dial } from './dial-plan';

/** What truly happened on the line: the measure that limits are checked against. */
export interface LineStats {
  /** Calls on the line now. */
  readonly active: number;
  /** Most calls on the line at once. */
  readonly peak: number;
  /** Most calls at once to any one number. */
  readonly peakPerNumber: number;
  /** Calls truly placed. */
  readonly dials: number;
  /** Calls truly placed although one had been placed for the same attempt. */
  readonly duplicateDials: number;
  /** Repeated requests answered with the call they had already placed. */
  readonly replays: number;
  /** Webhooks answered with 2xx. */
  readonly webhooksSent: number;
  /** Webhooks not yet answered with 2xx, those waiting for their next try included. */
  readonly webhooksPending: number;
}

const REMEMBERED_ATTEMPTS = 200_000;

/**
 * Counts calls as they come on the line and leave it. It judges duplicates by itself and independently of whether
 * idempotency keys are honoured: were it the replay table that counted, the figure could never be anything but 0.
 */
export class LineCounter {
  #active = 0;
  #peak = 0;
  #peakPerNumber = 0;
  #dials = 0;
  #duplicateDials = 0;
  #replays = 0;
  #webhooksSent = 0;
  readonly #activePerNumber = new Map<string, number>();
  readonly #attemptsSeen = new BoundedMap<string, true>(REMEMBERED_ATTEMPTS);

  placed(dial: Dial): void {
    this.#dials += 1;
    if (this.#wasDialledBefore(dial)) this.#duplicateDials += 1;
    this.#active += 1;
    const onThisNumber = (this.#activePerNumber.get(dial.to) ?? 0) + 1;
    this.#activePerNumber.set(dial.to, onThisNumber);
    this.#peak = Math.max(this.#peak, this.#active);
    this.#peakPerNumber = Math.max(this.#peakPerNumber, onThisNumber);
  }

  ended(to: string): void {
    this.#active -= 1;
    const left = (this.#activePerNumber.get(to) ?? 1) - 1;
    if (left > 0) this.#activePerNumber.set(to, left);
    else this.#activePerNumber.delete(to);
  }

  replayed(): void {
    this.#replays += 1;
  }

  webhookDelivered(): void {
    this.#webhooksSent += 1;
  }

  read(webhooksPending: number): LineStats {
    return {
      active: this.#active,
      peak: this.#peak,
      peakPerNumber: this.#peakPerNumber,
      dials: this.#dials,
      duplicateDials: this.#duplicateDials,
      replays: this.#replays,
      webhooksSent: this.#webhooksSent,
      webhooksPending,
    };
  }

  /** Starts the counts anew; calls that are on the line stay counted as active. */
  reset(): void {
    this.#peak = this.#active;
    this.#peakPerNumber = Math.max(0, ...this.#activePerNumber.values());
    this.#dials = 0;
    this.#duplicateDials = 0;
    this.#replays = 0;
    this.#webhooksSent = 0;
  }

  /**
   * An attempt is known by its key, and by the webhook URL's query, which names it too: so a caller that repeats an
   * attempt under a fresh key is found out. A URL without a query is the same for every call and says nothing.
   */
  #wasDialledBefore({ idempotencyKey, webhookUrl, to }: Dial): boolean {
    const names: string[] = [];
    if (idempotencyKey !== undefined) names.push(`key ${idempotencyKey}`);
    if (new URL(webhookUrl).search !== '') names.push(`url ${to} ${webhookUrl}`);
    const seen = names.some((name) => this.#attemptsSeen.has(name));
    for (const name of names) this.#attemptsSeen.set(name, true);
    return seen;
  }
}
