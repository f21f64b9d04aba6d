import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Redis } from 'ioredis';
import { sql } from 'kysely';

import { listSlotHolders, listSlotWaiters } from '../store/attempts';
import type { Database } from '../store/database';

/** A slot that is now an attempt's: whoever learns of it signals the attempt's workflow. */
export interface Grant {
  callId: string;
  attemptId: string;
  slot: number;
}

/** One attempt as the semaphore names it. */
export interface Ticket {
  callId: string;
  attemptId: string;
}

interface Reply {
  /** What the operation says of its own ticket; each *.lua file tells. */
  value: number;
  grants: Grant[];
}

const operations = ['acquire', 'release', 'confirm', 'restore', 'limit', 'unclaimed', 'holders'] as const;
type Operation = (typeof operations)[number];

type Argument = string | number;
type RunScript = (key: string, ...args: (Argument | Argument[])[]) => Promise<unknown>;

const hashTag = '{slots}';

/** PostgreSQL's advisory lock under which one process at a time restores; any number that is this lock's alone. */
const restoreLock = 7_305_001;

/**
 * The typed face of the semaphore: numbered slots and the queue for them, in Redis, one Lua script an operation. Redis
 * is a fast index that may be lost at any time: it is then built anew from PostgreSQL, which fences each slot besides.
 * Every operation may be repeated after a reply was lost, and rejects while Redis is away.
 */
export class Semaphore {
  private readonly scripts: Record<Operation, RunScript>;
  private restoring: Promise<Grant[]> | undefined;

  constructor(
    redis: Redis,
    private readonly db: Database,
    private readonly limit: number,
  ) {
    this.scripts = Object.fromEntries(
      operations.map((name) => [name, defineScript(redis, name)]),
    ) as typeof this.scripts;
  }

  /** @returns the slot now held, or 0 where the ticket waits; and grants to others, if any */
  acquire(ticket: Ticket, queueSeq: number): Promise<Reply> {
    return this.run('acquire', wordOf(ticket), queueSeq);
  }

  /** Gives back the ticket's slot or place. @returns the slot it had, or 0; and to whom slots went */
  release(ticket: Ticket): Promise<Reply> {
    return this.run('release', wordOf(ticket));
  }

  /** Puts Redis right: PostgreSQL has the ticket on this slot. */
  confirm(ticket: Ticket, slot: number): Promise<Reply> {
    return this.run('confirm', wordOf(ticket), slot);
  }

  /** Takes over a limit that was changed since Redis learnt it. @returns the limit before, and grants of new slots */
  adoptLimit(): Promise<Reply> {
    return this.run('limit', this.limit);
  }

  /** @returns grants older than `seconds` that were not claimed */
  async unclaimed(seconds: number): Promise<Grant[]> {
    return (await this.run('unclaimed', Math.round(seconds * 1_000))).grants;
  }

  /** @returns every slot that Redis has given out, claimed or not */
  async holders(): Promise<Grant[]> {
    return (await this.run('holders')).grants;
  }

  private async run(operation: Operation, ...args: Argument[]): Promise<Reply> {
    const reply = parse(await this.scripts[operation](hashTag, ...args));
    if (reply !== 'RECOVERING') return reply;
    const restored = await this.restoreOnce();
    const again = parse(await this.scripts[operation](hashTag, ...args));
    if (again === 'RECOVERING') throw new Error('Redis lost its data again while the slots were being restored');
    return { ...again, grants: [...restored, ...again.grants] };
  }

  /**
   * All who find Redis empty wait for one restore, and take up one connection between them: the pool has few. Its grants
   * are told by the one who began it.
   */
  private async restoreOnce(): Promise<Grant[]> {
    if (this.restoring !== undefined) {
      await this.restoring;
      return [];
    }
    this.restoring = this.restore().finally(() => {
      this.restoring = undefined;
    });
    return this.restoring;
  }

  /**
   * Builds the state anew from PostgreSQL. A claim made while the record was being read is not in it; it is confirmed by
   * the claimer, and whoever was given its slot meanwhile fails the fence and asks again.
   */
  private async restore(): Promise<Grant[]> {
    return this.db.transaction().execute(async (trx) => {
      await sql`select pg_advisory_xact_lock(${restoreLock})`.execute(trx);
      const [holders, waiters] = [await listSlotHolders(trx), await listSlotWaiters(trx)];
      const reply = parse(
        // One array, which ioredis flattens: as arguments of the call, a long queue would not fit on the stack.
        await this.scripts.restore(hashTag, [
          randomUUID(),
          this.limit,
          holders.length,
          ...holders.flatMap((holder) => [wordOf(holder), holder.slot]),
          ...waiters.flatMap((waiter) => [wordOf(waiter), waiter.queueSeq]),
        ]),
      );
      return reply === 'RECOVERING' ? [] : reply.grants;
    });
  }
}

function defineScript(redis: Redis, name: Operation): RunScript {
  const source = ['prelude', name].map((file) => readFileSync(join(__dirname, `${file}.lua`), 'utf8')).join('\n');
  const command = `slots_${name}`;
  redis.defineCommand(command, { numberOfKeys: 1, lua: source });
  const run = (redis as unknown as Record<string, RunScript>)[command];
  if (run === undefined) throw new Error(`ioredis did not define ${command}`);
  return run.bind(redis);
}

function wordOf({ callId, attemptId }: Ticket): string {
  return `${callId}/${attemptId}`;
}

function parse(reply: unknown): Reply | 'RECOVERING' {
  const [status, value, grants] = reply as [string, number, (string | number)[]];
  if (status === 'RECOVERING') return status;
  return { value, grants: pairs(grants) };
}

function pairs(flat: readonly (string | number)[]): Grant[] {
  const grants: Grant[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const [callId = '', attemptId = ''] = String(flat[i]).split('/');
    grants.push({ callId, attemptId, slot: Number(flat[i + 1]) });
  }
  return grants;
}
