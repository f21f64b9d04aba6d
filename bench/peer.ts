import type { Redis } from 'ioredis';

import { pickFreePorts } from '../infra/tcp-port';
import type { Child } from './children';
import type { Added, AddQuestion } from './peers/serve-peer';
import { createDatabase, withRedis, type FreshDatabase, type Stage } from './stage';

export const peerNames = ['bullmq', 'pg-boss', 'graphile-worker'] as const;
export type PeerName = (typeof peerNames)[number];

/** No peer, but served as one: Temporal with workflows that store nothing. */
export const bareHandOver = 'bare-hand-over';
export type ServedName = PeerName | typeof bareHandOver;

interface PeerOptions {
  /** Redis writes each change to disk before it answers, as PostgreSQL does with each commit. */
  durableRedis?: boolean;
}

/** A peer as one process, on fresh state. */
export class RunningPeer {
  private constructor(
    private readonly stage: Stage,
    private readonly child: Child,
    private readonly database: FreshDatabase,
  ) {}

  static async open(stage: Stage, name: ServedName, { durableRedis = false }: PeerOptions = {}): Promise<RunningPeer> {
    const { environment } = stage.backing;
    const [database, [port = 0]] = await Promise.all([createDatabase(stage), pickFreePorts(1)]);
    await withRedis(stage, (redis) => emptyAndSync(redis, durableRedis ? 'always' : 'everysec'));
    const env = {
      REDIS_URL: environment['REDIS_URL'] ?? '',
      TEMPORAL_ADDRESS: environment['TEMPORAL_ADDRESS'] ?? '',
      DATABASE_URL: database.url,
      PORT: String(port),
      PROVIDER_BASE_URL: stage.stub.url,
    };
    const directory = name === bareHandOver ? 'limits' : 'peers';
    const child = await stage.children.startReady({ name, script: `bench/${directory}/${name}.js`, env });
    return new RunningPeer(stage, child, database);
  }

  get pid(): number {
    return this.child.pid;
  }

  work(concurrency: number): Promise<unknown> {
    return this.child.ask({ kind: 'work', concurrency }, this.stage.signal);
  }

  add(question: Omit<AddQuestion, 'kind'>): Promise<Added> {
    return this.child.ask({ kind: 'add', ...question } satisfies AddQuestion, this.stage.signal);
  }

  async close(): Promise<void> {
    await this.stage.stub.reset();
    await this.child.stop();
    await withRedis(this.stage, (redis) => emptyAndSync(redis, 'everysec'));
    await this.database.drop();
  }
}

async function emptyAndSync(redis: Redis, appendfsync: 'always' | 'everysec'): Promise<void> {
  await redis.flushall();
  await redis.config('SET', 'appendfsync', appendfsync);
}
