import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { Redis } from 'ioredis';
import { sql } from 'kysely';

import type { Logger } from '../log';
import { listSlotHolders, listSlotWaiters } from '../store/attempts';
import { turnOfSwitch } from '../store/control';
import type { Database } from '../store/database';
import { isRedisTrouble, redisProblem, refusalOf } from './redis';
import { Trouble } from './trouble';

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
  /** Of a release alone: see there. */
  ahead?: Ticket;
}

/** A queue that is longer may outgrow the cache of workflows of a worker. */
export const longQueue = 250;

/** Each a *.lua file. One that only reads says so to Redis, and is let do it where nothing may be changed. */
const operations = {
  acquire: 'writes',
  release: 'writes',
  confirm: 'writes',
  restore: 'writes',
  limit: 'writes',
  switch: 'writes',
  unclaimed: 'reads',
  holders: 'reads',
  absent: 'reads',
} as const;
type Operation = keyof typeof operations;

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
  private readonly refusals: Trouble;
  private readonly settings: Trouble;
  private restoring: Promise<Grant[]> | undefined;

  constructor(
    private readonly redis: Redis,
    private readonly db: Database,
    private readonly limit: number,
    log: Logger,
  ) {
    this.scripts = Object.fromEntries(
      Object.keys(operations).map((name) => [name, defineScript(redis, name as Operation)]),
    ) as typeof this.scripts;
    this.refusals = new Trouble(log, 'Redis does as it is asked again');
    this.settings = new Trouble(log, 'Redis keeps every key again');
  }

  /**
   * @param queueSeq the ticket's place in the queue by the record, the lowest served first
   * @returns the slot now held, or 0 where the ticket waits; and grants to others, if any
   */
  acquire(ticket: Ticket, queueSeq: number): Promise<Reply> {
    return this.run('acquire', wordOf(ticket), queueSeq);
  }

  /**
   * Gives back the ticket's slot or place.
   *
   * @returns the slot it had, or 0; to whom slots went; and where somebody was served from a long queue, who will be
   *   served when all slots have gone to others once
   */
  release(ticket: Ticket): Promise<Reply> {
    return this.run('release', wordOf(ticket), this.limit, longQueue);
  }

  /** Puts Redis right: PostgreSQL has the ticket on this slot. */
  confirm(ticket: Ticket, slot: number): Promise<Reply> {
    return this.run('confirm', wordOf(ticket), slot);
  }

  /** Takes over a limit that was changed since Redis learnt it. @returns the limit before, and grants of new slots */
  adoptLimit(): Promise<Reply> {
    return this.run('limit', this.limit);
  }

  /**
   * Takes over the pause switch from the record. @returns 1 while dialling is paused, else 0; and grants of slots that were
   * free for as long as it was
   */
  async adoptSwitch(): Promise<Reply> {
    return this.run('switch', await turnOfSwitch(this.db));
  }

  /** @returns grants older than `seconds` that were not claimed */
  async unclaimed(seconds: number): Promise<Grant[]> {
    return (await this.run('unclaimed', Math.round(seconds * 1_000))).grants;
  }

  /** @returns every slot that Redis has given out, claimed or not */
  async holders(): Promise<Grant[]> {
    return this.list('holders');
  }

  /** @returns those of the tickets that have neither a slot nor a place here */
  async absent<T extends Ticket>(tickets: readonly T[]): Promise<T[]> {
    const words = new Set((await this.list('absent', tickets.map(wordOf))).map(wordOf));
    return tickets.filter((ticket) => words.has(wordOf(ticket)));
  }

  /** Warns, once, of a Redis that was set to drop keys since the worker began, or replaced by one that is. */
  async watchSettings(): Promise<void> {
    const problem = await redisProblem(this.redis);
    if (problem === undefined) this.settings.ends();
    else this.settings.begins(problem);
  }

  private async run(operation: Operation, ...args: Argument[]): Promise<Reply> {
    const { reply, restored } = await this.restoringIfLost(operation, args);
    return { ...reply, grants: [...restored, ...reply.grants] };
  }

  /** For operations whose answer is not of grants. Those of a restore are found unclaimed, and told then. */
  private async list(operation: Operation, ...args: Argument[][]): Promise<Grant[]> {
    return (await this.restoringIfLost(operation, args)).reply.grants;
  }

  private async restoringIfLost(
    operation: Operation,
    args: (Argument | Argument[])[],
  ): Promise<{ reply: Reply; restored: Grant[] }> {
    const reply = await this.ask(operation, args);
    if (reply !== 'RECOVERING') return { reply, restored: [] };
    const restored = await this.restoreOnce();
    const again = await this.ask(operation, args);
    if (again === 'RECOVERING') throw new Error('Redis lost its data again while the slots were being restored');
    return { reply: again, restored };
  }

  /** A Redis that is away or refuses is told of once, here or by its client; the SDK need not tell of each step that fails. */
  private async ask(operation: Operation, args: (Argument | Argument[])[]): Promise<Reply | 'RECOVERING'> {
    try {
      const reply = await this.scripts[operation](hashTag, ...args);
      if (operations[operation] === 'writes') this.refusals.ends();
      return parse(reply);
    } catch (error) {
      if (!isRedisTrouble(error)) throw error;
      const refusal = refusalOf(error);
      if (refusal !== undefined) this.refusals.begins(refusal, { reason: error.message });
      throw ApplicationFailure.create({
        message: `Redis: ${error.message}`,
        type: 'RedisUnavailable',
        category: ApplicationFailureCategory.BENIGN,
        cause: error,
      });
    }
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
      const [turn, holders, waiters] = [
        await turnOfSwitch(trx),
        await listSlotHolders(trx),
        await listSlotWaiters(trx),
      ];
      // One array, which ioredis flattens: as arguments of the call, a long queue would not fit on the stack.
      const state = [
        this.limit,
        turn,
        holders.length,
        ...holders.flatMap((holder) => [wordOf(holder), holder.slot]),
        ...waiters.flatMap((waiter) => [wordOf(waiter), waiter.queueSeq]),
      ];
      const reply = await this.ask('restore', [state]);
      return reply === 'RECOVERING' ? [] : reply.grants;
    });
  }
}

function defineScript(redis: Redis, name: Operation): RunScript {
  // With this line Redis refuses, before anything is done, what it may not do to its end: full, read-only, without disk.
  const shebang = operations[name] === 'reads' ? '#!lua flags=no-writes' : '#!lua';
  const files = ['prelude', name].map((file) => readFileSync(join(__dirname, `${file}.lua`), 'utf8'));
  const command = `slots_${name}`;
  redis.defineCommand(command, { numberOfKeys: 1, lua: [shebang, ...files].join('\n') });
  const run = (redis as unknown as Record<string, RunScript>)[command];
  if (run === undefined) throw new Error(`ioredis did not define ${command}`);
  return run.bind(redis);
}

function wordOf({ callId, attemptId }: Ticket): string {
  return `${callId}/${attemptId}`;
}

function ticketOf(word: string): Ticket {
  const [callId = '', attemptId = ''] = word.split('/');
  return { callId, attemptId };
}

function parse(reply: unknown): Reply | 'RECOVERING' {
  const [status, value, grants, [ahead] = []] = reply as [string, number, (string | number)[], string[]?];
  if (status === 'RECOVERING') return status;
  return { value, grants: pairs(grants), ...(ahead !== undefined && { ahead: ticketOf(ahead) }) };
}

function pairs(flat: readonly (string | number)[]): Grant[] {
  const grants: Grant[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    grants.push({ ...ticketOf(String(flat[i])), slot: Number(flat[i + 1]) });
  }
  return grants;
}
