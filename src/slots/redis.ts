import { Redis } from 'ioredis';

import type { Logger } from '../log';
import { Trouble } from './trouble';

/**
 * Opens the semaphore's Redis. A command that gets no answer in time is an error to its caller, who asks again: every
 * operation is safe to repeat, so none is queued while Redis is away, and none is resent behind the caller's back.
 *
 * @param role shown by Redis as the connection's name (`CLIENT LIST`)
 */
export function openRedis(url: string, log: Logger, role = 'other'): Redis {
  const redis = new Redis(url, {
    connectionName: `call-orchestrator-${role}`,
    lazyConnect: true,
    connectTimeout: 3_000,
    commandTimeout: 3_000,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
    // What a failover looks like to those who stay connected to the old primary: the name leads to the new one by now.
    reconnectOnError: (error) => codeOf(error) === 'READONLY',
  });
  const away = new Trouble(log, 'Redis is back');
  redis.on('error', (err: Error) => away.begins('Redis is away: nothing new is dialled until it is back', { err }));
  redis.on('ready', () => away.ends());
  return redis;
}

/** By the first word of its answer, why a Redis that is there does not do as it is asked, and what its operator can do. */
const refusals: Readonly<Record<string, string>> = {
  OOM: 'Redis refuses to write: it is full. Raise its maxmemory, or remove from it what is not ours',
  READONLY:
    'Redis refuses to write: it is a replica. A failover ends this by itself; else let REDIS_URL name the primary',
  MISCONF: 'Redis refuses to write: it cannot save its data. Look into its log and at its disk',
  NOREPLICAS: 'Redis refuses to write: it has lost replicas. Bring them back, or lower its min-replicas-to-write',
  MASTERDOWN: 'Redis is a replica that has lost its primary. Bring it back, or let REDIS_URL name the primary',
  LOADING: 'Redis is still loading its data. This ends by itself',
  NOAUTH: 'Redis wants a password. Set it in REDIS_URL',
  WRONGPASS: 'Redis does not know our user or password. Correct REDIS_URL',
  NOPERM: 'Redis does not let our user do this. It needs the keys {slots}:*, the commands on them, scripts, and INFO',
};

const until = '; nothing new is dialled until then';

/** @returns why Redis refused, in words for its operator; undefined for what `openRedis` tells of, and for our own faults */
export function refusalOf(error: Error): string | undefined {
  if (error.message === 'Command timed out')
    return `Redis does not answer in time: it hangs, or has too much to do${until}`;
  const refusal = isReply(error) ? refusals[codeOf(error)] : undefined;
  return refusal && `${refusal}${until}`;
}

/** True where Redis, or the way to it, is in trouble; false for an answer that only our own fault explains. */
export function isRedisTrouble(error: unknown): error is Error {
  return error instanceof Error && (!isReply(error) || codeOf(error) in refusals);
}

/** An error that Redis itself answered with. */
function isReply(error: Error): boolean {
  return error.name === 'ReplyError';
}

function codeOf(error: Error): string {
  return error.message.split(' ', 1)[0] ?? '';
}

/** Scripts that say of themselves what they do are as old as this. */
const oldestVersion = 7;

/**
 * The semaphore's keys may be dropped by no policy: a slot forgotten would be given twice, were it not for PostgreSQL's
 * fence, and a place in the queue would be lost.
 *
 * @returns what is wrong with the server or its settings, in words for its operator, or undefined
 */
export async function redisProblem(redis: Pick<Redis, 'info'>): Promise<string | undefined> {
  const info = await redis.info();
  const version = /^redis_version:((\d+)\S*)/m.exec(info);
  if (version && Number(version[2]) < oldestVersion) {
    return `Redis ${version[1]} is too old: ${oldestVersion}.0 or newer is needed`;
  }
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy === undefined || policy === 'noeviction') return undefined;
  return `Redis may drop keys (maxmemory-policy ${policy}): set maxmemory-policy to noeviction`;
}
