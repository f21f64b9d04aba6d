import { randomUUID } from 'node:crypto';

import type { Redis } from 'ioredis';

import { createLog } from '../../src/log';
import { Semaphore, type Grant, type Ticket } from '../../src/slots/semaphore';
import { countSlots, endAttempt, findSlotHolder } from '../../src/store/attempts';
import type { Database } from '../../src/store/database';
import { insertCalls } from '../../src/store/accepted-calls';
import { anyOf } from '../../src/store/any-of';
import { claimSlot, type Claim } from '../../src/store/dials';
import { newCall } from '../store/records';
import { createTestDatabase } from '../support/database';
import { openTestRedis } from '../support/redis';

/** An attempt that the record knows: its ticket, and its place in the queue. */
export interface Attempt extends Ticket {
  /** Its place in the queue, in which there are the next two. */
  queueSeq: number;
  priority: number;
  number: number;
}

const keys = {
  epoch: '{slots}:epoch',
  limit: '{slots}:limit',
  free: '{slots}:free',
  queue: '{slots}:queue',
  holders: '{slots}:holders',
  owners: '{slots}:owners',
  unclaimed: '{slots}:unclaimed',
  switch: '{slots}:switch',
};

/** The semaphore on a Redis and a PostgreSQL of its own, both real; attempts are real rows. */
export class SlotsUnderTest {
  private constructor(
    readonly db: Database,
    readonly redis: Redis,
    private readonly dropDatabase: () => Promise<void>,
  ) {}

  /** @param opened a client of another Redis than the one that the files share; it is closed with the rest */
  static async open(opened = openTestRedis()): Promise<SlotsUnderTest> {
    const [{ db, drop }, redis] = await Promise.all([createTestDatabase(), opened]);
    return new SlotsUnderTest(db, redis, drop);
  }

  async close(): Promise<void> {
    this.redis.disconnect();
    await this.dropDatabase();
  }

  /** The same record with another Redis, which its opener closes. */
  on(redis: Redis): SlotsUnderTest {
    return new SlotsUnderTest(this.db, redis, () => Promise.resolve());
  }

  /** Neither calls nor slots, nor a pause: Redis is empty, as it is when it lost its data. */
  async empty(): Promise<void> {
    await this.db.deleteFrom('calls').execute();
    await this.db.deleteFrom('control').execute();
    await this.redis.flushdb();
  }

  semaphore(limit: number): Semaphore {
    return new Semaphore(this.redis, this.db, limit, createLog('test', 'silent'));
  }

  /** A semaphore whose slots are all free, so that nothing is left to restore. */
  async ready(limit: number): Promise<Semaphore> {
    const semaphore = this.semaphore(limit);
    await semaphore.adoptLimit();
    return semaphore;
  }

  /** Attempts of as many calls, which wait by the record, in the order of their places. */
  async waiting(count: number, priority = 3): Promise<Attempt[]> {
    const inserted = await insertCalls(
      this.db,
      Array.from({ length: count }, () => newCall({ priority })),
    );
    const calls = await this.db
      .selectFrom('calls')
      .selectAll()
      .where('id', '=', anyOf(inserted.map(({ row }) => row.id)))
      .execute();
    const attempts = calls.map((row) => ({
      callId: row.id,
      attemptId: randomUUID(),
      queueSeq: row.queue_seq,
      priority: row.priority,
      number: row.seq,
    }));
    await this.db
      .insertInto('attempts')
      .values(
        attempts.map(({ callId, attemptId, queueSeq }) => ({
          id: attemptId,
          call_id: callId,
          round: 1,
          queue_seq: queueSeq,
          run_id: `run-of-${attemptId}`,
          run_number: 1,
        })),
      )
      .execute();
    return attempts.sort((a, b) => a.queueSeq - b.queueSeq);
  }

  async one(priority?: number): Promise<Attempt> {
    const [attempt] = await this.waiting(1, priority);
    if (!attempt) throw new Error('none');
    return attempt;
  }

  /** The attempt begins on that slot, by the record. */
  async claim({ callId, attemptId }: Ticket, slot: number): Promise<void> {
    expect(await claimSlot(this.db, { callId, attemptId, round: 1, slot })).toMatchObject({ kind: 'CLAIMED', slot });
  }

  async tryClaim({ callId, attemptId }: Ticket, slot: number): Promise<Claim['kind']> {
    return (await claimSlot(this.db, { callId, attemptId, round: 1, slot })).kind;
  }

  /** Redis gave a slot that the record has on another attempt: it learns whose it is, as the dial step does. */
  async correct(semaphore: Semaphore, slot: number): Promise<void> {
    const owner = await findSlotHolder(this.db, slot);
    if (owner) await semaphore.confirm(owner, slot);
  }

  async heldByRecord(): Promise<number> {
    return (await countSlots(this.db)).held;
  }

  /** The attempt has ended, by the record. */
  async end({ attemptId }: Ticket): Promise<void> {
    const end = { outcome: 'COMPLETED', failureReason: null, durationSec: null } as const;
    await this.db.transaction().execute((trx) => endAttempt(trx, attemptId, end));
  }

  /** Asks with its own place, as the enqueue step does. */
  async acquire(semaphore: Semaphore, attempt: Attempt): Promise<number> {
    return (await semaphore.acquire(attempt, attempt.queueSeq)).value;
  }

  /** Ask, claim, confirm: the attempt is on the line. */
  async putOnLine(semaphore: Semaphore, attempt: Attempt): Promise<void> {
    const slot = await this.acquire(semaphore, attempt);
    await this.claim(attempt, slot);
    await semaphore.confirm(attempt, slot);
  }

  /** What Redis believes, in tickets' attempt ids. */
  async state() {
    const [epoch, limit, free, queue, holders, owners, unclaimed, turn] = await Promise.all([
      this.redis.get(keys.epoch),
      this.redis.get(keys.limit),
      this.redis.zrange(keys.free, '0', '-1'),
      this.redis.zrange(keys.queue, '0', '-1'),
      this.redis.hgetall(keys.holders),
      this.redis.hgetall(keys.owners),
      this.redis.zrange(keys.unclaimed, '0', '-1'),
      this.redis.get(keys.switch),
    ]);
    return {
      epoch,
      limit: Number(limit),
      free: free.map(Number),
      queue: queue.map(attemptIdOf),
      /** Attempt id by slot. */
      held: new Map(Object.entries(owners).map(([slot, word]) => [Number(slot), attemptIdOf(word)])),
      /** Slot by attempt id. */
      slots: new Map(Object.entries(holders).map(([word, slot]) => [attemptIdOf(word), Number(slot)])),
      unclaimed: unclaimed.map(attemptIdOf),
      /** Of the pause switch: odd while dialling is paused. */
      turn: turn === null ? undefined : Number(turn),
    };
  }

  /** Whose grant has been unclaimed for so long, by Redis's own clock, in attempt ids. */
  async unclaimedFor(seconds: number): Promise<string[]> {
    const [now = 0] = await this.redis.time();
    const words = await this.redis.zrangebyscore(keys.unclaimed, '-inf', (now - seconds) * 1_000);
    return words.map(attemptIdOf);
  }

  /** What holds between any two operations while the limit has not been lowered. */
  async expectSound(): Promise<void> {
    const { limit, free, queue, held, slots, unclaimed, turn = 0 } = await this.state();
    expect([...free, ...held.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: limit }, (_, i) => i + 1));
    expect(new Map([...slots].map(([attemptId, slot]) => [slot, attemptId]))).toEqual(held);
    expect(slots.size).toBe(held.size);
    if (turn % 2 === 0) expect(queue.length > 0 && free.length > 0).toBe(false);
    expect(queue.filter((attemptId) => slots.has(attemptId))).toEqual([]);
    expect(unclaimed.filter((attemptId) => !slots.has(attemptId))).toEqual([]);
  }
}

export const grantOf = ({ callId, attemptId }: Ticket, slot: number): Grant => ({ callId, attemptId, slot });

/** Two grants of one millisecond come in no given order. */
export const bySlot = (grants: readonly Grant[]): Grant[] => [...grants].sort((a, b) => a.slot - b.slot);

function attemptIdOf(word: string): string {
  return word.split('/')[1] ?? word;
}
