import { listSlotHolders } from '../../../src/store/attempts';
import { turnOfSwitch } from '../../../src/store/control';
import type { SlotsUnderTest } from '../slots-under-test';
import type { Life, Lives } from './life';
import type { Loss } from './story';

type State = Awaited<ReturnType<SlotsUnderTest['state']>>;

/** What must be true of Redis and of the record after every step, whatever it was. */
export class Invariants {
  private last: State | undefined;
  /** Sent back to the head of the queue by another's confirm. */
  private readonly putOut = new Set<string>();
  /** Told of a grant in the step that is under way: of several operations, a later one may have put it out again. */
  private readonly toldNow = new Set<string>();
  /** Redis lost something that it sees by itself: its state counts again once it is whole. */
  private broken = false;
  /** What Redis lost unseen: places in the queue, and that grants are unclaimed. The audit sees it. */
  private readonly unseen = { places: new Set<string>(), grants: new Set<string>() };

  constructor(
    private readonly slots: SlotsUnderTest,
    private readonly lives: Lives,
    private readonly runId: string,
  ) {}

  /** Who waits, is not at the head by another's confirm, and should be served in turn. */
  inTurn(ids: readonly string[]): string[] {
    return this.lives.inTurn(ids.filter((id) => !this.putOut.has(id)));
  }

  told(attemptId: string): void {
    this.toldNow.add(attemptId);
  }

  /** @param before what Redis had until then */
  lost(what: Loss, before: State): void {
    if (what === 'queue') {
      for (const id of before.queue) {
        this.unseen.places.add(id);
        this.putOut.delete(id);
      }
    } else if (what === 'unclaimed') {
      for (const id of before.unclaimed) this.unseen.grants.add(id);
    } else {
      this.broken = true;
    }
  }

  /** After a round of the audit nobody who has waited for long is missing, and every grant was told. */
  audited(patienceSeconds: number): void {
    const missed = this.lives.all().filter((life) => life.waitedSeconds >= patienceSeconds);
    for (const { id } of missed) this.unseen.places.delete(id);
    for (const id of this.unseen.grants) expect(this.lives.get(id).stage.at).not.toBe('WAITING');
  }

  /** Grants that were old and unclaimed are told, unless Redis was built anew on the way. */
  resent(unheard: readonly string[]): void {
    if (this.broken) return;
    for (const id of unheard) expect(this.lives.get(id).stage.at).not.toBe('WAITING');
  }

  async check(): Promise<void> {
    const [state, inProgress] = [await this.slots.state(), await listSlotHolders(this.slots.db)];
    const record = new Map(inProgress.map(({ attemptId, slot }) => [attemptId, slot]));
    if (this.broken && this.isWhole(state)) {
      // Built anew: heads of the queue are forgotten, what was lost unseen is there again, and a pause is known.
      expect(state.turn).toBe(await turnOfSwitch(this.slots.db));
      this.broken = false;
      this.last = undefined;
      this.putOut.clear();
      this.unseen.places.clear();
      this.unseen.grants.clear();
    }
    if (!this.broken) {
      // A slot that was given back takes with it that its grant was lost: the next one is noted anew.
      for (const id of this.unseen.grants) {
        if (state.slots.get(id) !== this.last?.slots.get(id)) this.unseen.grants.delete(id);
      }
      this.checkGrants(this.last, state, record);
      this.checkRedis(state);
      this.checkNothingForgotten(state, record);
      this.last = state;
    }
    this.toldNow.clear();
    expect(new Set(record.values()).size).toBe(record.size);
    const limits = [...record].map(([id, slot]) => this.lives.get(id).givenUnder.get(slot) ?? 0);
    expect(record.size).toBeLessThanOrEqual(Math.max(0, ...limits));
  }

  /** At the end of all stories: nobody waits, and every slot is free. */
  checkQuiet(): void {
    expect(this.broken).toBe(false);
    expect(this.last).toMatchObject({ queue: [], unclaimed: [], slots: new Map() });
    expect(this.last?.free).toHaveLength(this.last?.limit ?? 0);
  }

  private isWhole({ epoch, limit, free, held, slots, turn }: State): boolean {
    return (
      epoch === this.runId &&
      limit > 0 &&
      turn !== undefined &&
      held.size === slots.size &&
      free.length + held.size >= limit
    );
  }

  /**
   * A slot has one ticket, a ticket one slot; free and held are the limit; nobody waits while a slot is free, unless
   * dialling is paused.
   */
  private checkRedis({ limit, free, queue, held, slots, turn = 0 }: State): void {
    const upTo = (numbers: number[]) => numbers.filter((slot) => slot <= limit).sort((a, b) => a - b);
    expect(upTo([...free, ...held.keys()])).toEqual(Array.from({ length: limit }, (_, i) => i + 1));
    expect(upTo(free)).toEqual(free);
    expect(new Map([...slots].map(([id, slot]) => [slot, id]))).toEqual(held);
    expect(slots.size).toBe(held.size);
    expect(turn % 2 === 0 && queue.length > 0 && free.length > 0).toBe(false);
    expect(queue.filter((id) => slots.has(id))).toEqual([]);
    expect(queue).toEqual([...queue.filter((id) => this.putOut.has(id)), ...this.inTurn(queue)]);
  }

  /** Who waits has a place or a slot, who talks has its slot, and a slot that is held is claimed or will be found. */
  private checkNothingForgotten({ queue, slots, unclaimed }: State, record: Map<string, number>): void {
    for (const { id, stage } of this.lives.at('WAITING', 'TALKING')) {
      if (stage.at === 'TALKING') expect(slots.get(id)).toBe(record.get(id));
      else expect(slots.has(id) || queue.includes(id) || this.unseen.places.has(id)).toBe(true);
    }
    // Who gave back what it had, has nothing; who has claimed, is not told again.
    const over = [...queue, ...slots.keys()].filter((id) => this.lives.get(id).stage.at === 'OVER');
    const noGrants = unclaimed.filter((id) => !slots.has(id) || this.lives.get(id).stage.at === 'TALKING');
    expect([over, noGrants]).toEqual([[], []]);
    const unfound = [...slots.keys()].filter((id) => !record.has(id) && !unclaimed.includes(id));
    const forgotten = unfound.filter((id) => this.lives.get(id).stage.at !== 'ENDED' && !this.unseen.grants.has(id));
    expect(forgotten).toEqual([]);
  }

  /** Slots that were given in this step went to those whose turn it was, and none was above the limit. */
  private checkGrants(before: State | undefined, state: State, record: Map<string, number>): void {
    for (const [id, slot] of before?.slots ?? []) {
      if ((state.held.get(slot) ?? id) !== id && this.lives.get(id).stage.at !== 'OVER') this.putOut.add(id);
    }
    for (const id of state.queue.filter((waiting) => this.toldNow.has(waiting))) this.putOut.add(id);
    for (const life of this.lives.all()) {
      this.noteLimit(life, state);
      const slot = state.slots.get(life.id);
      if (slot === undefined || before?.slots.get(life.id) === slot) continue;
      if (!life.givenUnder.has(slot)) life.givenUnder.set(slot, state.limit);
      if (record.has(life.id)) continue;
      life.givenUnder.set(slot, state.limit);
      expect(slot).toBeLessThanOrEqual(state.limit);
      if (this.putOut.delete(life.id)) continue;
      // Who came to stand in the queue in this very step may have come after the slot was given.
      const stood = state.queue.filter((id) => before === undefined || before.queue.includes(id));
      expect(stood.filter((id) => this.putOut.has(id) || this.lives.get(id).isBefore(life))).toEqual([]);
    }
  }

  /** A grant that is known to its workflow was given under the limit of then. */
  private noteLimit({ told, stage, givenUnder }: Life, { limit }: State): void {
    for (const slot of [told, stage.at === 'GRANTED' ? stage.slot : undefined]) {
      if (slot !== undefined && !givenUnder.has(slot)) givenUnder.set(slot, limit);
    }
  }
}
