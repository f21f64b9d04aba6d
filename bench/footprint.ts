import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import type { Redis } from 'ioredis';

import { topics } from '../src/call/names';
import { query, withRedis, type Stage } from './stage';

const tables = ['calls', 'attempts', 'provider_reports', 'call_events'] as const;

/** What calls have written and asked for so far, all together. */
export interface Footprint {
  /** Transactions of PostgreSQL that wrote something. */
  commits: number;
  walBytes: number;
  /** Rows with their indexes, and what updates have left behind. */
  bytes: Record<string, number>;
  redisScripts: number;
  redisMicroseconds: number;
  eventBytesOnKafka: number;
}

export async function footprintOf(stage: Stage, databaseUrl: string): Promise<Footprint> {
  // Nobody else writes to this server: its counters are those of the service.
  const [server] = await query<{ commits: string; wal: string }>(
    databaseUrl,
    `select pg_snapshot_xmax(pg_current_snapshot())::text as commits, pg_current_wal_insert_lsn() - '0/0' as wal`,
  );
  const sizes = await query<{ name: string; bytes: string }>(
    databaseUrl,
    `select relname as name, pg_total_relation_size(oid) as bytes
       from pg_class where relname in (${tables.map((name) => `'${name}'`).join(', ')}) and relkind = 'r'`,
  );
  let scripts = { calls: 0, microseconds: 0 };
  await withRedis(stage, async (redis) => {
    scripts = await scriptsRun(redis);
  });
  return {
    commits: Number(server?.commits),
    walBytes: Number(server?.wal),
    bytes: Object.fromEntries(sizes.map(({ name, bytes }) => [name, Number(bytes)])),
    redisScripts: scripts.calls,
    redisMicroseconds: scripts.microseconds,
    eventBytesOnKafka: logBytes(join(stage.backing.places.data, 'kafka'), topics.events),
  };
}

/** What each of so many calls has left between two looks. */
export function footprintTold(before: Footprint, after: Footprint, calls: number): string {
  const each = (from: number, to: number, digits = 0): string => ((to - from) / calls).toFixed(digits);
  const byTable = tables.map((name) => `${name} ${each(before.bytes[name] ?? 0, after.bytes[name] ?? 0)}`);
  return [
    `${each(before.commits, after.commits, 1)} commits`,
    `${each(before.walBytes, after.walBytes)} bytes of WAL`,
    `bytes with indexes: ${byTable.join(', ')}`,
    `${each(before.redisScripts, after.redisScripts, 1)} scripts of Redis in ${each(before.redisMicroseconds, after.redisMicroseconds)} µs`,
    `${each(before.eventBytesOnKafka, after.eventBytesOnKafka)} bytes of events on Kafka`,
  ].join('; ');
}

/** Since Redis' statistics were last reset, by its own clock. */
export async function scriptsRun(redis: Redis): Promise<{ calls: number; microseconds: number }> {
  const stats = await redis.info('commandstats');
  const [, calls = '0', microseconds = '0'] = /^cmdstat_evalsha:calls=(\d+),usec=(\d+)/m.exec(stats) ?? [];
  return { calls: Number(calls), microseconds: Number(microseconds) };
}

/** As the broker has them on disk, over all partitions. */
function logBytes(directory: string, topic: string): number {
  const logs = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.includes(`${topic}-`) && path.endsWith('.log'),
  );
  return logs.reduce((sum, path) => sum + statSync(join(directory, path)).size, 0);
}
