import { Redis } from 'ioredis';

import { readConfig } from '../../src/config';
import { createLog } from '../../src/log';
import { openRedis } from '../../src/slots/redis';

/**
 * Jest's workers share one Redis: each has a logical database of its own, emptied for each file.
 *
 * @returns its URL
 */
export async function emptyRedisDatabase(): Promise<string> {
  const url = new URL(readConfig(process.env).REDIS_URL);
  url.pathname = `/${Number(process.env['JEST_WORKER_ID'] ?? '1') % 16}`;
  const redis = new Redis(url.href);
  try {
    await redis.flushdb();
  } finally {
    redis.disconnect();
  }
  return url.href;
}

/** A connected client of that database, as the service opens it. Close it with `disconnect()`. */
export async function openTestRedis(): Promise<Redis> {
  const redis = openRedis(await emptyRedisDatabase(), createLog('test', 'silent'));
  await redis.connect();
  return redis;
}
