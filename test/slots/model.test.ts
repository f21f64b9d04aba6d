import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import fc from 'fast-check';

import { workflowId } from '../../src/call/names';
import type { SlotGranted } from '../../src/call/workflow-messages';
import { resendGrants } from '../../src/reconciler/resend-grants';
import type { Grant, Semaphore, Ticket } from '../../src/slots/semaphore';
import { signalGrants } from '../../src/slots/signal-grants';
import { findSlotHolder, listSlotHolders } from '../../src/store/attempts';
import { SlotsUnderTest, type Attempt } from './slots-under-test';

// FAST_CHECK_SEED=<the seed a failure printed> repeats that failure; FAST_CHECK_RUNS=1000 looks for longer.
const seed = process.env['FAST_CHECK_SEED'];
const runs = Number(process.env['FAST_CHECK_RUNS'] ?? '40');
const timeLimitMs = 60_000 + 2_000 * runs;

let slots: SlotsUnderTest;

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
});
afterAll(() => slots.close());

/** Where an attempt's workflow stands. Each half that a crash left undone is a place of its own, gone on from later. */
type Stage =
  | { at: 'ASKING' }
  | { at: 'WAITING' }
  | { at: 'GRANTED'; slot: number }
  | { at: 'CLAIMED'; slot: number }
  | { at: 'FENCED'; slot: number }
  | { at: 'TALKING' }
  | { at: 'ENDED' }
  | { at: 'OVER' };

interface Life {
  attempt: Attempt;
  stage: Stage;
  /** The slot it was signalled since it last began to ask. */
  told: number | undefined;
  /** The limit under which Redis gave it each slot. */
  givenUnder: Map<number, number>;
  claimed: boolean;
  /** Ended before it had a slot: canceled or expired. */
  withdrawn: boolean;
}

/** How much of a step is done: all; its grants are not told; its reply is lost; its first half alone, the record's. */
type Fate = 'DONE' | 'GRANTS_LOST' | 'REPLY_LOST' | 'CRASHED';

const fate = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Fate>('DONE') },
  { weight: 3, arbitrary: fc.constantFrom<Fate>('GRANTS_LOST', 'REPLY_LOST', 'CRASHED') },
);
/** Many a row is in the record before Redis hears of it: those a restore brings in ahead of others' old grants. */
const crashingOften = fc.oneof({ weight: 2, arbitrary: fc.constant<Fate>('CRASHED') }, { weight: 3, arbitrary: fate });
const step = (kind: 'ENQUEUE' | 'GO_ON' | 'END' | 'WITHDRAW' | 'RESEND' | 'FLUSH', weight: number) => ({
  weight,
  arbitrary: fc.record({ kind: fc.constant(kind), whose: fc.nat(50), fate: kind === 'ENQUEUE' ? crashingOften : fate }),
});
const changedLimit = fc.record({ kind: fc.constant('LIMIT' as const), limit: fc.integer({ min: 1, max: 4 }), fate });
const anyStep = fc.oneof(
  step('ENQUEUE', 8),
  step('GO_ON', 13),
  step('END', 6),
  step('WITHDRAW', 1),
  step('RESEND', 2),
  step('FLUSH', 2),
  { weight: 2, arbitrary: changedLimit },
);
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;
/** A restore gives a slot to a second one while the first has heard of it: rare by chance, and the fence's reason. */
const overtaken: Step[] = [
  { kind: 'ENQUEUE', whose: 0, fate: 'CRASHED' },
  { kind: 'ENQUEUE', whose: 0, fate: 'DONE' },
  { kind: 'ENQUEUE', whose: 0, fate: 'CRASHED' },
  { kind: 'FLUSH', whose: 0, fate: 'DONE' },
  { kind: 'GO_ON', whose: 0, fate: 'DONE' },
];
const scene = fc.oneof(
  { weight: 12, arbitrary: anyStep.map((one) => [one]) },
  { weight: 1, arbitrary: fc.constant(overtaken) },
);
const story = fc.array(scene, { minLength: 1, maxLength: 40, size: 'max' }).map((scenes) => scenes.flat());
type State = Awaited<ReturnType<SlotsUnderTest['state']>>;

/** A world of attempts on the real semaphore, and what must be true of it after every step. */
class World {
  private readonly lives = new Map<string, Life>();
  /** Sent back to the head of the queue by another's confirm. */
  private readonly putOut = new Set<string>();
  private last: State | undefined;

  constructor(private semaphore: Semaphore) {}

  private readonly temporal = {
    workflow: {
      getHandle: (id: string) => ({
        signal: (_: string, { attemptId, slot }: SlotGranted) => {
          const life = this.life(attemptId);
          expect(id).toBe(workflowId(life.attempt.callId));
          if (life.stage.at === 'OVER') return Promise.reject(new WorkflowNotFoundError('gone', id, undefined));
          if (life.stage.at === 'WAITING') life.stage = { at: 'GRANTED', slot };
          else life.told = slot;
          return Promise.resolve();
        },
      }),
    },
  } as unknown as Client;

  private life(attemptId: string): Life {
    return this.lives.get(attemptId)!;
  }

  private seq(attemptId: string): number {
    return this.life(attemptId).attempt.queueSeq;
  }

  at(...stages: Stage['at'][]): Life[] {
    return [...this.lives.values()].filter(({ stage }) => stages.includes(stage.at));
  }

  async take(step: Step): Promise<void> {
    const oneOf = (lives: Life[]) => ('whose' in step ? lives[step.whose % lives.length] : undefined);
    switch (step.kind) {
      case 'ENQUEUE':
        await this.enqueue(step.fate);
        break;
      case 'GO_ON':
        await this.goOn(oneOf(this.at('ASKING', 'GRANTED', 'CLAIMED', 'FENCED', 'ENDED')), step.fate);
        break;
      case 'END':
        await this.end(oneOf(this.at('TALKING')), step.fate);
        break;
      case 'WITHDRAW':
        await this.end(oneOf(this.at('ASKING', 'WAITING', 'GRANTED', 'FENCED')), step.fate);
        break;
      case 'RESEND':
        await this.resend(step.fate);
        break;
      case 'FLUSH':
        await slots.redis.flushdb();
        this.putOut.clear();
        break;
      case 'LIMIT':
        this.semaphore = slots.semaphore(step.limit);
        if (step.fate !== 'CRASHED') await this.tell((await this.semaphore.adoptLimit()).grants, step.fate);
        break;
    }
    await this.check();
  }

  private async enqueue(fate: Fate): Promise<void> {
    const attempt = await slots.one();
    const stage: Stage = { at: 'ASKING' };
    const life = { attempt, stage, told: undefined, givenUnder: new Map(), claimed: false, withdrawn: false };
    this.lives.set(attempt.attemptId, life);
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
    const others = grants.filter(({ attemptId }) => attemptId !== life.attempt.attemptId);
    await this.tell(others, fate);
    const known = slot > 0 ? slot : life.told;
    life.stage = known === undefined ? { at: 'WAITING' } : { at: 'GRANTED', slot: known };
  }

  private async claim(life: Life, slot: number, fate: Fate): Promise<void> {
    const kind = await slots.tryClaim(life.attempt, slot);
    expect(['CLAIMED', 'SLOT_TAKEN']).toContain(kind);
    if (kind === 'CLAIMED') life.claimed = true;
    life.stage = { at: kind === 'CLAIMED' ? 'CLAIMED' : 'FENCED', slot };
    if (fate !== 'CRASHED') await this.goOn(life, fate);
  }

  private async confirm(life: Life, slot: number, fate: Fate): Promise<void> {
    // A step that is taken again claims again, and stays claimed.
    expect(await slots.tryClaim(life.attempt, slot)).toBe('CLAIMED');
    const { value, grants } = await this.semaphore.confirm(life.attempt, slot);
    expect(value).toBe(slot);
    if (fate !== 'REPLY_LOST') life.stage = { at: 'TALKING' };
    await this.tell(grants, fate);
  }

  /** The record has the slot on another: Redis learns whose it is, and the attempt asks anew. */
  private async correct(life: Life, slot: number, fate: Fate): Promise<void> {
    const owner = await findSlotHolder(slots.db, slot);
    if (owner) await this.tell((await this.semaphore.confirm(owner, slot)).grants, fate);
    if (fate === 'REPLY_LOST') return;
    life.told = undefined;
    life.stage = { at: 'ASKING' };
  }

  private async end(life: Life | undefined, fate: Fate): Promise<void> {
    if (life === undefined) return;
    life.withdrawn = !life.claimed;
    await slots.end(life.attempt);
    life.stage = { at: 'ENDED' };
    if (fate !== 'CRASHED') await this.release(life, fate);
  }

  private async release(life: Life, fate: Fate): Promise<void> {
    const { grants } = await this.semaphore.release(life.attempt);
    if (fate !== 'REPLY_LOST') life.stage = { at: 'OVER' };
    await this.tell(grants, fate);
  }

  private async tell(grants: readonly Grant[], fate: Fate): Promise<void> {
    if (fate === 'DONE') await signalGrants({ temporal: this.temporal, semaphore: this.semaphore }, grants);
  }

  /** The reconciler's duty, for which every grant is old enough. */
  private async resend(fate: Fate): Promise<void> {
    const { semaphore } = this;
    if (fate !== 'DONE') await semaphore.adoptLimit();
    else {
      const impatient = {
        adoptLimit: () => semaphore.adoptLimit(),
        unclaimed: () => semaphore.unclaimed(0),
        release: (ticket: Ticket) => semaphore.release(ticket),
      } as unknown as Semaphore;
      await resendGrants({ db: slots.db, temporal: this.temporal, semaphore: impatient });
    }
  }

  private async check(): Promise<void> {
    const [state, inProgress] = [await slots.state(), await listSlotHolders(slots.db)];
    const before = this.last;
    this.last = state;
    if (state.epoch !== null) {
      this.checkGrants(before, state, new Set(inProgress.map(({ attemptId }) => attemptId)));
      this.checkRedis(state, new Map(inProgress.map(({ attemptId, slot }) => [attemptId, slot])));
    }

    expect(new Set(inProgress.map(({ slot }) => slot)).size).toBe(inProgress.length);
    const limits = inProgress.map(({ attemptId, slot }) => this.life(attemptId).givenUnder.get(slot) ?? 0);
    expect(inProgress.length).toBeLessThanOrEqual(Math.max(0, ...limits));
  }

  private checkRedis({ limit, free, queue, held, slots: bySlot, unclaimed }: State, record: Map<string, number>): void {
    const upTo = (numbers: number[]) => numbers.filter((slot) => slot <= limit).sort((a, b) => a - b);
    expect(upTo([...free, ...held.keys()])).toEqual(Array.from({ length: limit }, (_, i) => i + 1));
    expect(upTo(free)).toEqual(free);
    expect(new Map([...bySlot].map(([attemptId, slot]) => [slot, attemptId]))).toEqual(held);
    expect(bySlot.size).toBe(held.size);
    expect(queue.length > 0 && free.length > 0).toBe(false);
    expect(queue.filter((attemptId) => bySlot.has(attemptId))).toEqual([]);
    const inTurn = queue.filter((id) => !this.putOut.has(id)).sort((a, b) => this.seq(a) - this.seq(b));
    expect(queue).toEqual([...queue.filter((id) => this.putOut.has(id)), ...inTurn]);

    // Nothing is lost: who waits has a place or a slot, who talks has its slot, and a slot held is claimed or found.
    for (const { attempt, stage } of this.at('WAITING', 'TALKING')) {
      if (stage.at === 'TALKING') expect(bySlot.get(attempt.attemptId)).toBe(record.get(attempt.attemptId));
      else expect(bySlot.has(attempt.attemptId) || queue.includes(attempt.attemptId)).toBe(true);
    }
    const unfound = [...bySlot.keys()].filter((id) => !record.has(id) && !unclaimed.includes(id));
    expect(unfound.filter((id) => this.life(id).stage.at !== 'ENDED')).toEqual([]);
  }

  /** Slots that were given in this step went to those who waited longest, and none was above the limit. */
  private checkGrants(before: State | undefined, state: State, inProgress: Set<string>): void {
    for (const [id, slot] of before?.slots ?? []) {
      if ((state.held.get(slot) ?? id) !== id && this.life(id).stage.at !== 'OVER') this.putOut.add(id);
    }
    for (const { attempt, stage, told, givenUnder } of this.lives.values()) {
      for (const slot of [told, stage.at === 'GRANTED' ? stage.slot : undefined]) {
        if (slot !== undefined && !givenUnder.has(slot)) givenUnder.set(slot, state.limit);
      }
      const slot = state.slots.get(attempt.attemptId);
      if (slot === undefined || before?.slots.get(attempt.attemptId) === slot) continue;
      if (!givenUnder.has(slot)) givenUnder.set(slot, state.limit);
      if (inProgress.has(attempt.attemptId)) continue;
      givenUnder.set(slot, state.limit);
      expect(slot).toBeLessThanOrEqual(state.limit);
      if (this.putOut.delete(attempt.attemptId)) continue;
      expect(state.queue.filter((id) => this.seq(id) < attempt.queueSeq)).toEqual([]);
    }
  }

  /** All that crashed is taken again and every lost grant resent; then the calls end, one by one. */
  async recover(): Promise<void> {
    await this.settle();
    const waited = this.at('WAITING').map(({ attempt }) => attempt.attemptId);
    const inTurn = waited.filter((id) => !this.putOut.has(id)).sort((a, b) => this.seq(a) - this.seq(b));

    const claimed: string[] = [];
    for (let talking = this.at('TALKING'); talking.length > 0; talking = this.at('TALKING')) {
      await this.end(talking[0], 'DONE');
      await this.check();
      claimed.push(...this.at('GRANTED').map(({ attempt }) => attempt.attemptId));
      await this.settle();
    }
    expect(claimed.filter((id) => inTurn.includes(id))).toEqual(inTurn);
    expect([...this.lives.values()].filter((life) => life.stage.at !== 'OVER')).toEqual([]);
    expect([...this.lives.values()].filter(({ claimed, withdrawn }) => claimed === withdrawn)).toEqual([]);
    expect(this.last).toMatchObject({ queue: [], unclaimed: [], slots: new Map() });
    expect(this.last!.free).toHaveLength(this.last!.limit);
  }

  private async settle(): Promise<void> {
    const busy = () => this.at('ASKING', 'GRANTED', 'CLAIMED', 'FENCED', 'ENDED');
    await this.take({ kind: 'RESEND', whose: 0, fate: 'DONE' });
    // An attempt that is fenced asks, is granted, claims and confirms: a few turns each, or it goes round for ever.
    for (let turns = 8 * (this.lives.size + 1); busy().length > 0; turns--) {
      expect(turns).toBeGreaterThan(0);
      await this.goOn(busy()[0], 'DONE');
      await this.check();
    }
  }
}

test(
  'whatever crashes, is lost, repeated or flushed, in whatever order: no slot has two, and no attempt is forgotten',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), story, async (limit, steps) => {
        await slots.empty();
        const world = new World(await slots.ready(limit));
        for (const step of steps) await world.take(step);
        await world.recover();
      }),
      { numRuns: runs, interruptAfterTimeLimit: timeLimitMs, ...(seed !== undefined && { seed: Number(seed) }) },
    );
  },
  timeLimitMs + 30_000,
);
