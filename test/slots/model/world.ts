import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { sql } from 'kysely';

import { workflowId } from '../../../src/call/names';
import type { SlotGranted } from '../../../src/call/workflow-messages';
import { createLog } from '../../../src/log';
import { auditSlots } from '../../../src/reconciler/audit-slots';
import { resendGrants } from '../../../src/reconciler/resend-grants';
import type { Grant, Semaphore } from '../../../src/slots/semaphore';
import { signalGrants } from '../../../src/slots/signal-grants';
import { findSlotHolder } from '../../../src/store/attempts';
import { pauseDialling, resumeDialling } from '../../../src/store/control';
import type { SlotsUnderTest } from '../slots-under-test';
import { Invariants } from './invariants';
import { Lives, type Life, type Stage } from './life';
import type { Fate, Loss, Step } from './story';

/** Longer than any patience of the reconciler's duties. */
const longSeconds = 6;
/** What goes on by itself, sooner or later. */
const busyStages = ['ASKING', 'GRANTED', 'CLAIMED', 'FENCED', 'ENDED'] as const satisfies Stage['at'][];

/** A world of attempts on the real semaphore, the real record and the real duties; Temporal takes signals, and no more. */
export class World {
  private readonly lives = new Lives();
  private readonly invariants: Invariants;
  private copy: Map<string, Buffer> | undefined;
  /** By the record. */
  private isPaused = false;
  /** In the order in which they first learnt of a slot. */
  private readonly granted = new Set<string>();

  private constructor(
    private readonly slots: SlotsUnderTest,
    private semaphore: Semaphore,
    runId: string,
  ) {
    this.invariants = new Invariants(slots, this.lives, runId);
  }

  static async begin(slots: SlotsUnderTest, limit: number): Promise<World> {
    await slots.empty();
    const semaphore = await slots.ready(limit);
    return new World(slots, semaphore, (await slots.state()).epoch ?? '');
  }

  private readonly temporal = {
    workflow: {
      getHandle: (id: string) => ({
        signal: (_: string, { attemptId, slot }: SlotGranted) => {
          const life = this.lives.get(attemptId);
          expect(id).toBe(workflowId(life.attempt.callId));
          this.invariants.told(attemptId);
          if (life.stage.at === 'OVER') return Promise.reject(new WorkflowNotFoundError('gone', id, undefined));
          if (life.stage.at === 'WAITING') this.grant(life, slot);
          else life.told = slot;
          return Promise.resolve();
        },
      }),
    },
  } as unknown as Client;

  private get deps() {
    return { db: this.slots.db, temporal: this.temporal, semaphore: this.semaphore, log: createLog('test', 'silent') };
  }

  async take(step: Step): Promise<void> {
    await this.happen(step);
    await this.invariants.check();
  }

  private happen(step: Step): Promise<void> {
    switch (step.kind) {
      case 'ENQUEUE':
        return this.enqueue(step.priority, step.fate);
      case 'GO_ON':
        return this.goOn(oneOf(this.lives.at(...busyStages), step.whose), step.fate);
      case 'END':
        return this.end(oneOf(this.lives.at('TALKING'), step.whose), step.fate);
      case 'WITHDRAW':
        return this.end(oneOf(this.lives.at('ASKING', 'WAITING', 'GRANTED', 'FENCED'), step.whose), step.fate);
      case 'PASS_TIME':
        return this.passTime(step.seconds);
      case 'RESEND':
        return this.resend(step.fate);
      case 'AUDIT':
        return this.audit();
      case 'COPY':
        return this.makeCopy();
      case 'LOSE':
        return this.lose(step.what);
      case 'LIMIT':
        return this.changeLimit(step.limit, step.fate);
      case 'SWITCH':
        return this.turnSwitch(step.to, step.fate);
    }
  }

  private async enqueue(priority: number, fate: Fate): Promise<void> {
    const life = this.lives.add(await this.slots.one(priority));
    if (fate !== 'CRASHED') await this.goOn(life, fate);
  }

  /** The next thing that this attempt's workflow does of itself: for the first time, or again after a crash. */
  private async goOn(life: Life | undefined, fate: Fate): Promise<void> {
    switch (life?.stage.at) {
      case 'ASKING':
        return this.ask(life, fate);
      case 'GRANTED':
        return this.claim(life, life.stage.slot, fate);
      case 'CLAIMED':
        return this.confirm(life, life.stage.slot, fate);
      case 'FENCED':
        return this.correct(life, life.stage.slot, fate);
      case 'ENDED':
        return this.release(life, fate);
    }
  }

  private async ask(life: Life, fate: Fate): Promise<void> {
    const { value: slot, grants } = await this.semaphore.acquire(life.attempt, life.attempt.queueSeq);
    if (fate === 'REPLY_LOST' || fate === 'CRASHED') return;
    const others = grants.filter(({ attemptId }) => attemptId !== life.id);
    await this.tell(others, fate);
    const known = slot > 0 ? slot : life.told;
    if (known === undefined) life.stage = { at: 'WAITING' };
    else this.grant(life, known);
  }

  private grant(life: Life, slot: number): void {
    life.stage = { at: 'GRANTED', slot };
    this.granted.add(life.id);
  }

  private async claim(life: Life, slot: number, fate: Fate): Promise<void> {
    const kind = await this.slots.tryClaim(life.attempt, slot);
    if (kind === 'PAUSED') return this.holdBack(life, fate);
    expect(['CLAIMED', 'SLOT_TAKEN']).toContain(kind);
    // What was claimed before, and whose answer was lost, stays claimed.
    expect(this.isPaused && !life.claimed).toBe(false);
    if (kind === 'CLAIMED') life.claimed = true;
    life.stage = { at: kind === 'CLAIMED' ? 'CLAIMED' : 'FENCED', slot };
    if (fate !== 'CRASHED') await this.goOn(life, fate);
  }

  private async confirm(life: Life, slot: number, fate: Fate): Promise<void> {
    // A step that is taken again claims again, and stays claimed.
    expect(await this.slots.tryClaim(life.attempt, slot)).toBe('CLAIMED');
    const { value, grants } = await this.semaphore.confirm(life.attempt, slot);
    expect(value).toBe(slot);
    if (fate !== 'REPLY_LOST') life.stage = { at: 'TALKING' };
    await this.tell(grants, fate);
  }

  /** Dialling is paused: Redis learns of it, the slot goes back, and the attempt asks anew. */
  private async holdBack(life: Life, fate: Fate): Promise<void> {
    expect(this.isPaused).toBe(true);
    if (fate === 'CRASHED') return;
    await this.tell((await this.semaphore.adoptSwitch()).grants, fate);
    await this.tell((await this.semaphore.release(life.attempt)).grants, fate);
    if (fate === 'REPLY_LOST') return;
    life.told = undefined;
    life.stage = { at: 'ASKING' };
  }

  /** The record has the slot on another: Redis learns whose it is, and the attempt asks anew. */
  private async correct(life: Life, slot: number, fate: Fate): Promise<void> {
    const owner = await findSlotHolder(this.slots.db, slot);
    if (owner) await this.tell((await this.semaphore.confirm(owner, slot)).grants, fate);
    if (fate === 'REPLY_LOST') return;
    life.told = undefined;
    life.stage = { at: 'ASKING' };
  }

  private async end(life: Life | undefined, fate: Fate): Promise<void> {
    if (life === undefined) return;
    life.withdrawn = !life.claimed;
    await this.slots.end(life.attempt);
    life.stage = { at: 'ENDED' };
    if (fate !== 'CRASHED') await this.release(life, fate);
  }

  private async release(life: Life, fate: Fate): Promise<void> {
    const { grants } = await this.semaphore.release(life.attempt);
    if (fate !== 'REPLY_LOST') life.stage = { at: 'OVER' };
    await this.tell(grants, fate);
  }

  private async tell(grants: readonly Grant[], fate: Fate): Promise<void> {
    if (fate === 'DONE') await signalGrants(this.deps, grants);
  }

  /** The clock goes on for all who measure by it: every time that is stored lies so much further back. */
  private async passTime(seconds: number): Promise<void> {
    const { db, redis } = this.slots;
    for (const ticket of await redis.zrange('{slots}:unclaimed', '0', '-1')) {
      await redis.zincrby('{slots}:unclaimed', -seconds * 1_000, ticket);
    }
    await sql`update attempts set queued_at = queued_at - make_interval(secs => ${seconds})`.execute(db);
    for (const life of this.lives.all()) life.waitedSeconds += seconds;
  }

  private async resend(fate: Fate): Promise<void> {
    if (fate !== 'DONE') {
      await this.semaphore.adoptLimit();
      return;
    }
    const unheard = await this.slots.unclaimedFor(longSeconds);
    await resendGrants(this.deps);
    this.invariants.resent(unheard);
  }

  private async audit(): Promise<void> {
    await auditSlots(this.deps);
    this.invariants.audited(longSeconds);
  }

  private async makeCopy(): Promise<void> {
    const { redis } = this.slots;
    const names = await redis.keys('{slots}:*');
    this.copy = new Map();
    for (const name of names) this.copy.set(name, await redis.dumpBuffer(name));
  }

  private async lose(what: Loss): Promise<void> {
    const { redis } = this.slots;
    const before = await this.slots.state();
    // Free slots that are lost while others above a lowered limit are held are missed only once those have come back.
    if (what === 'free' && [...before.held.keys()].some((slot) => slot > before.limit)) return;
    const keyOnly = what !== 'ALL' && what !== 'SINCE_COPY';
    if (keyOnly && (await redis.del(`{slots}:${what}`)) === 0) return;
    if (!keyOnly) await redis.flushdb();
    if (what === 'SINCE_COPY') {
      for (const [name, value] of this.copy ?? []) await redis.restore(name, 0, value);
      // The process that came back with it is another.
      if (await redis.exists('{slots}:epoch')) await redis.set('{slots}:epoch', '0'.repeat(40));
    }
    this.invariants.lost(what, before);
  }

  private async changeLimit(limit: number, fate: Fate): Promise<void> {
    this.semaphore = this.slots.semaphore(limit);
    if (fate !== 'CRASHED') await this.tell((await this.semaphore.adoptLimit()).grants, fate);
  }

  private async turnSwitch(to: 'PAUSE' | 'RESUME', fate: Fate): Promise<void> {
    const { db } = this.slots;
    const { pause } = await (to === 'PAUSE' ? pauseDialling(db, null) : resumeDialling(db));
    this.isPaused = pause !== null;
    expect(this.isPaused).toBe(to === 'PAUSE');
    if (fate !== 'CRASHED') await this.tell((await this.semaphore.adoptSwitch()).grants, fate);
  }

  /** All that crashed is taken again and the reconciler comes round; then the calls end, one by one. */
  async recover(): Promise<void> {
    const resend = { kind: 'RESEND', fate: 'DONE' } as const;
    // Nobody hears of it but the reconciler.
    await this.take({ kind: 'SWITCH', to: 'RESUME', fate: 'CRASHED' });
    // The second for grants that the first one gave where it built the state anew, or that the audit gave.
    for (const step of [resend, { kind: 'AUDIT' } as const, resend]) {
      await this.take({ kind: 'PASS_TIME', seconds: longSeconds });
      await this.take(step);
    }
    await this.settle();
    const waited = this.invariants.inTurn(this.lives.at('WAITING').map(({ id }) => id));

    this.granted.clear();
    for (let talking = this.lives.at('TALKING'); talking.length > 0; talking = this.lives.at('TALKING')) {
      await this.end(talking[0], 'DONE');
      await this.invariants.check();
      await this.settle();
    }
    expect([...this.granted].filter((id) => waited.includes(id))).toEqual(waited);
    expect(this.lives.all().filter(({ stage }) => stage.at !== 'OVER')).toEqual([]);
    expect(this.lives.all().filter(({ claimed, withdrawn }) => claimed === withdrawn)).toEqual([]);
    this.invariants.checkQuiet();
  }

  private async settle(): Promise<void> {
    const busy = () => this.lives.at(...busyStages);
    // An attempt that is fenced asks, is granted, claims and confirms: a few turns each, or it goes round for ever.
    for (let turns = 8 * (this.lives.all().length + 1); busy().length > 0; turns--) {
      expect(turns).toBeGreaterThan(0);
      await this.goOn(busy()[0], 'DONE');
      await this.invariants.check();
    }
  }
}

/** Counted from the latest, so that a scene may speak of those it brought in. */
function oneOf(lives: readonly Life[], whose: number): Life | undefined {
  return lives.at(-1 - (whose % lives.length));
}
