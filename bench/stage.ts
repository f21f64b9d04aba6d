import { randomBytes } from 'node:crypto';

import { Client, Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import pg from 'pg';

import { pickFreePorts } from '../infra/tcp-port';
import type { Backing } from './backing';
import type { Child, Children } from './children';
import { cpuSeconds } from './cpu';
import type { LineEntry } from './stub-provider';

/** What every figure works with. */
export interface Stage {
  backing: Backing;
  children: Children;
  signal: AbortSignal;
  stub: Stub;
  /** Tiny rounds, which show that all works and nothing else. */
  quick: boolean;
  rounds: number;
  /** Of each role that runs. */
  processes: number;
  say: (line: string) => void;
}

/** The stub provider, a process of its own. */
export class Stub {
  private constructor(
    readonly url: string,
    private readonly child: Child,
    private readonly signal: AbortSignal,
  ) {}

  static async start(children: Children): Promise<Stub> {
    const [port = 0] = await pickFreePorts(1);
    const plan = { name: 'stub-provider', script: 'bench/stub-provider.js', env: { STUB_PORT: String(port) } };
    return new Stub(`http://127.0.0.1:${port}`, await children.startReady(plan), children.signal);
  }

  get pid(): number {
    return this.child.pid;
  }

  journal(): Promise<{ entries: LineEntry[]; live: number }> {
    return this.child.ask({ kind: 'journal' }, this.signal);
  }

  /** Forgets every call: none ends, and no webhook is sent, after this. */
  async reset(): Promise<void> {
    await this.child.ask({ kind: 'reset' }, this.signal);
  }

  /** Ends so many calls, the oldest first. */
  async end(count: number): Promise<void> {
    await this.child.ask({ kind: 'end', count }, this.signal);
  }
}

/** A database of its own. */
export interface FreshDatabase {
  url: string;
  drop: () => Promise<void>;
}

export async function createDatabase({ backing }: Pick<Stage, 'backing'>): Promise<FreshDatabase> {
  const server = backing.environment['DATABASE_URL'] ?? '';
  const name = `bench_${randomBytes(6).toString('hex')}`;
  await query(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => query(server, `drop database ${name} with (force)`).then(() => undefined) };
}

/** Over a connection of its own, which no round that ends early leaves behind to tell of the server's end. */
export async function withRedis(
  { backing }: Pick<Stage, 'backing'>,
  work: (redis: Redis) => Promise<unknown>,
): Promise<void> {
  const redis = new Redis(backing.environment['REDIS_URL'] ?? '');
  try {
    await work(redis);
  } finally {
    redis.disconnect();
  }
}

/** Over a connection of its own. @returns the rows */
export async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

/** CPU seconds so far of the backing services and of what else is named. */
export function cpuOf(stage: Stage, others: Readonly<Record<string, number>>): Record<string, number> {
  return cpuSeconds({ ...stage.backing.pids, stub: stage.stub.pid, ...others });
}

/** @returns a function that tells what a backing service has taken of a core since, in seconds */
export function watchBacking(stage: Stage, name: string): () => number {
  const taken = () => cpuOf(stage, {})[name] ?? NaN;
  const before = taken();
  return () => taken() - before;
}

/** @param namespace in which the client asks */
export async function withTemporal<Result>(
  stage: Stage,
  namespace: string,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const connection = await Connection.connect({ address: stage.backing.environment['TEMPORAL_ADDRESS'] ?? '' });
  try {
    return await work(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}
