import { Redis } from 'ioredis';

import { readConfig } from '../../src/config';
import { createLog } from '../../src/log';
import { openRedis } from '../../src/slots/redis';

/** Redis has 16 logical databases: seven for each of Jest's two workers, by turns, and one to count the turns in. */
const databasesOfWorker = 7;
const countingDatabase = 15;

/** Modules are loaded anew for each file: so is this. */
let databaseOfFile: Promise<number> | undefined;

/**
 * Jest's workers share one Redis: each file has a logical database that no file beside it has, nor any of those right
 * before it, whose processes may be on their way out and would take this file's Redis for theirs. Emptied at each call.
 *
 * @returns its URL
 */
export async function emptyRedisDatabase(): Promise<string> {
  const url = new URL(readConfig(process.env).REDIS_URL);
  databaseOfFile ??= takeTurn(url);
  url.pathname = `/${await databaseOfFile}`;
  await withRedis(url, (redis) => redis.flushdb());
  return url.href;
}

async function takeTurn(server: URL): Promise<number> {
  const url = new URL(server);
  url.pathname = `/${countingDatabase}`;
  const worker = Number(process.env['JEST_WORKER_ID'] ?? '1') % 2;
  const turn = await withRedis(url, (redis) => redis.incr(`files-of-worker-${worker}`));
  return worker * databasesOfWorker + (turn % databasesOfWorker);
}

async function withRedis<T>(url: URL, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url.href);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

/** A connected client of that database, as the service opens it. Close it with `disconnect()`. */
export async function openTestRedis(): Promise<Redis> {
  const redis = openRedis(await emptyRedisDatabase(), createLog('test', 'silent'));
  await redis.connect();
  return redis;
}
