import type { Redis } from 'ioredis';

import { createLog } from '../../src/log';
import { openRedis } from '../../src/slots/redis';
import { Semaphore, type Grant, type Ticket } from '../../src/slots/semaphore';
import { openDatabase } from '../../src/store/database';
import { ours, type Book } from '../book';
import type { Figure } from '../figure';
import { scriptsRun } from '../footprint';
import { Service } from '../service';
import type { Stage } from '../stage';

const figure = 'semaphore';
const sizes = { full: { waiting: 100_000, asked: 5_000 }, quick: { waiting: 1_000, asked: 500 } };
const askedAtOnce = 25;

/** What one hand-over takes of Redis' one thread, by Redis' own clock. */
export const semaphore: Figure = {
  name: figure,
  about: 'time of Redis’ thread that an operation on the slots takes, with many waiting',
  round: async (stage, book, round) => {
    for (const slots of [30, 300, 3_000]) await measureWith(stage, book, round, slots);
  },
};

async function measureWith(stage: Stage, book: Book, round: number, slots: number): Promise<void> {
  const { waiting, asked } = stage.quick ? sizes.quick : sizes.full;
  const service = await Service.open(stage);
  const log = createLog('bench', 'silent');
  const redis = openRedis(stage.backing.environment['REDIS_URL'] ?? '', log);
  const db = openDatabase(service.databaseUrl, { poolSize: 1, onIdleError: () => undefined });
  try {
    await redis.connect();
    const line = new Line(new Semaphore(redis, db, slots, log));
    await line.queue(slots);
    const memory = await usedBytes(redis);
    await line.queue(waiting);
    const each = ((await usedBytes(redis)) - memory) / waiting;
    book.note(figure, round, ours, `${slots} slots: ${Math.round(each)} bytes of Redis for each that waits`);
    const operations = {
      'acquire, which waits': () => line.queue(asked),
      'release, which hands the slot on': () => line.handOn(asked),
      'confirm, by the next': () => line.confirm(asked),
    };
    for (const [what, ask] of Object.entries(operations)) {
      await redis.config('RESETSTAT');
      await ask();
      const measure = { figure, what: `${what}, ${slots} slots`, unit: 'µs', better: 'less' } as const;
      const { calls, microseconds } = await scriptsRun(redis);
      book.add(measure, ours, microseconds / calls);
    }
  } finally {
    redis.disconnect();
    await db.destroy();
    await service.close();
  }
}

/** Tickets on all slots, and others behind them. */
class Line {
  private asked = 0;
  private holders: Grant[] = [];

  constructor(private readonly slots: Semaphore) {}

  async queue(count: number): Promise<void> {
    await this.inTurn(count, async () => {
      const place = ++this.asked;
      const ticket = ticketAt(place);
      const { value } = await this.slots.acquire(ticket, place);
      if (value > 0) this.holders.push({ ...ticket, slot: value });
    });
  }

  async handOn(count: number): Promise<void> {
    await this.inTurn(count, async () => {
      const holder = this.next();
      const { grants } = await this.slots.release(holder);
      this.holders.push(...grants);
    });
  }

  async confirm(count: number): Promise<void> {
    await this.inTurn(count, async () => {
      const holder = this.next();
      await this.slots.confirm(holder, holder.slot);
      this.holders.push(holder);
    });
  }

  private next(): Grant {
    const holder = this.holders.shift();
    if (holder === undefined) throw new Error('nobody holds a slot');
    return holder;
  }

  private async inTurn(count: number, ask: () => Promise<void>): Promise<void> {
    for (let left = count; left > 0; left -= askedAtOnce) {
      await Promise.all(Array.from({ length: Math.min(askedAtOnce, left) }, ask));
    }
  }
}

/** As long as those of calls are. */
function ticketAt(index: number): Ticket {
  const id = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
  return { callId: id, attemptId: id };
}

async function usedBytes(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
}
