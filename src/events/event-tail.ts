import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

import type { Logger } from '../log';
import type { OutboxEntry } from '../store/call-events';
import type { Database } from '../store/database';
import { readHorizon, readStep } from '../store/event-steps';

const lookEveryMilliseconds = 200;
/** A step of more is left to those who follow, each at its own speed. */
const entriesAtMost = 500;

export interface Step {
  from: string;
  to: string;
  /** Undefined where there are too many. */
  entries: OutboxEntry[] | undefined;
}

/**
 * Looks for new events for all streams of this process together, while there are any. It polls: the notices of migration
 * 0002 are sent only while the relay sleeps, and to have them always would make commits queue up behind each other.
 */
export class EventTail {
  /** Where the next step begins. */
  private place: string | undefined;
  private followers = 0;
  private isLooking = false;
  private readonly steps = new EventEmitter().setMaxListeners(0);

  constructor(private readonly deps: { db: Database; log: Logger }) {}

  /** Keeps it looking until `leave` was called as often as this. @throws where PostgreSQL is away */
  async join(): Promise<void> {
    const { lowest } = await readHorizon(this.deps.db);
    this.followers++;
    if (this.followers > 1 && this.place !== undefined) return;
    this.place = lowest;
    if (!this.isLooking) void this.look();
  }

  leave(): void {
    this.followers--;
  }

  /** Where the next step begins; of one who has joined. */
  get position(): string {
    if (this.place === undefined) throw new Error('nobody has joined');
    return this.place;
  }

  /**
   * @returns the step that begins there once it is there; BEHIND where that has passed, so that it is to be read from the
   *   database up to `position`; QUIET where nothing came in time
   */
  async next(from: string, gone: AbortSignal, milliseconds: number): Promise<Step | 'BEHIND' | 'QUIET'> {
    const until = AbortSignal.any([gone, AbortSignal.timeout(milliseconds)]);
    for (;;) {
      if (BigInt(this.position) > BigInt(from)) return 'BEHIND';
      const step = await once(this.steps, 'step', { signal: until }).then(
        ([made]) => made as Step,
        () => undefined,
      );
      if (!step) return 'QUIET';
      if (step.from === from) return step;
    }
  }

  private async look(): Promise<void> {
    this.isLooking = true;
    let failures = 0;
    while (this.followers > 0) {
      try {
        await this.takeStep();
        failures = 0;
      } catch (error) {
        // Once an outage: those who follow wait.
        if (failures++ === 0)
          this.deps.log.warn({ err: error }, 'streams of events stand still until PostgreSQL answers');
      }
      await pause(lookEveryMilliseconds, undefined, { ref: false });
    }
    this.isLooking = false;
    this.place = undefined;
  }

  private async takeStep(): Promise<void> {
    const from = this.position;
    const { lowest: to } = await readHorizon(this.deps.db);
    if (to === from) return;
    const entries = await readStep(this.deps.db, { from, to, afterId: 0 }, entriesAtMost + 1);
    // Without events the step may as well grow: nobody needs to hear of it.
    if (entries.length === 0) return;
    this.place = to;
    const step: Step = { from, to, entries: entries.length > entriesAtMost ? undefined : entries };
    this.steps.emit('step', step);
  }
}
