import { Redis } from 'ioredis';

import type { Logger } from '../log';

/**
 * Opens the semaphore's Redis. A command that gets no answer in time is an error to its caller, who asks again: every
 * operation is safe to repeat, so none is queued while Redis is away, and none is resent behind the caller's back.
 */
export function openRedis(url: string, log: Logger): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 3_000,
    commandTimeout: 3_000,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
  });
  let away = false;
  redis.on('error', (error: Error) => {
    if (!away) log.warn({ err: error }, 'Redis is away: nothing new is dialled until it is back');
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.info('Redis is back');
    away = false;
  });
  return redis;
}

/**
 * The semaphore's keys may be dropped by no policy: a slot forgotten would be given twice, were it not for PostgreSQL's
 * fence, and a place in the queue would be lost.
 *
 * @returns what is wrong with the server's settings, in words for its operator, or undefined
 */
export async function redisProblem(redis: Redis): Promise<string | undefined> {
  const info = await redis.info('memory');
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy === undefined || policy === 'noeviction') return undefined;
  return `Redis may drop keys (maxmemory-policy ${policy}): set maxmemory-policy to noeviction`;
}
