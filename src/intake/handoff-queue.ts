import type { HandoffRow } from '../store/handoffs';

export interface HandoffQueueDeps {
  /** Of a row just committed. */
  handOff: (row: HandoffRow) => Promise<unknown>;
  /** Of calls that had to wait: their rows have to be read again. */
  handOffTogether: (ids: readonly string[]) => Promise<void>;
  /** @param left how many that waited are given up, to be found in their rows */
  onFailure: (error: unknown, left: number) => void;
}

/** Handoffs under way at once: as many as it takes to keep Temporal busy. */
const atOnce = 32;
/** Temporal is away, or nearly: further ones are left in their rows. */
const mostAtOnce = 64;
/** Beyond these, orders stay in their rows alone. */
const mostWaiting = 100_000;

/** So many calls within so short a time, and they pour in. */
const pouring = { calls: 32, milliseconds: 1_000 };
/** Between two groups while they do, in times of what the one took. */
const restPerGroup = 4;
const longestRestMilliseconds = 1_000;

/** Of a pace that is not known yet, or was lately no pace at all. */
const leastPerSecond = 50;

/**
 * The calls of this process whose handoff has not begun, in their order. While calls pour in they are handed off for a
 * fifth of the time: what a machine can do goes to whoever waits for an answer, and to start more than the slots can take
 * gains nobody anything. Kept are their ids, and no more than that: each order is in its row.
 */
export class HandoffQueue {
  private waiting: string[] = [];
  private inFlight = 0;
  /** A group is under way, or the rest after one. */
  private occupied = false;
  private readonly lately: number[] = [];
  private pace = { since: 0, done: 0 };

  constructor(private readonly deps: HandoffQueueDeps) {}

  add(row: HandoffRow): void {
    if (row.handoff !== 'START') {
      // Of a call that may be on the line: not behind those that only want to begin.
      if (this.inFlight >= mostAtOnce) return;
      const told = this.deps.handOff(row).catch((error: unknown) => this.deps.onFailure(error, 0));
      this.begin(1, told);
      return;
    }
    this.lately.push(performance.now());
    if (this.lately.length > pouring.calls) this.lately.shift();
    if (this.waiting.length === 0 && this.inFlight < atOnce && !this.pouring()) {
      this.begin(1, this.deps.handOff(row));
    } else if (this.waiting.length < mostWaiting) {
      if (this.waiting.length === 0) this.pace = { since: performance.now(), done: 0 };
      this.waiting.push(row.id);
      this.goOn();
    }
  }

  get secondsToEmpty(): number {
    if (this.waiting.length === 0) return 0;
    const seconds = (performance.now() - this.pace.since) / 1_000;
    const perSecond = seconds < 1 ? leastPerSecond : Math.max(this.pace.done / seconds, leastPerSecond);
    return this.waiting.length / perSecond;
  }

  private pouring(): boolean {
    const [first = 0] = this.lately;
    return this.lately.length === pouring.calls && performance.now() - first < pouring.milliseconds;
  }

  private begin(count: number, handoff: Promise<unknown>): void {
    this.inFlight += count;
    handoff
      .catch((error: unknown) => this.giveUp(error))
      .finally(() => {
        this.inFlight -= count;
        this.pace.done += count;
        this.goOn();
      });
  }

  /** Temporal or PostgreSQL is away: thousands need not each find that out. */
  private giveUp(error: unknown): void {
    const left = this.waiting.length;
    this.waiting = [];
    this.deps.onFailure(error, left);
  }

  /** One group after the other: two that were read at once would start in no order. */
  private goOn(): void {
    const count = Math.min(atOnce - this.inFlight, this.waiting.length);
    if (count <= 0 || this.occupied) return;
    this.occupied = true;
    const beganAt = performance.now();
    const group = this.deps.handOffTogether(this.waiting.splice(0, count)).finally(() => {
      const rest = this.pouring() ? (performance.now() - beganAt) * restPerGroup : 0;
      this.freeAfter(Math.min(rest, longestRestMilliseconds));
    });
    this.begin(count, group);
  }

  private freeAfter(milliseconds: number): void {
    const free = (): void => {
      this.occupied = false;
      this.goOn();
    };
    if (milliseconds === 0) free();
    else setTimeout(free, milliseconds).unref();
  }
}
