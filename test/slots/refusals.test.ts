import { rmSync } from 'node:fs';
import { join } from 'node:path';

import type { Redis } from 'ioredis';
import pino from 'pino';

import { createLog } from '../../src/log';
import { openRedis, redisProblem, refusalOf } from '../../src/slots/redis';
import { Semaphore } from '../../src/slots/semaphore';
import { OwnServices } from '../support/own-services';
import { waitUntil } from '../support/wait-until';
import { SlotsUnderTest } from './slots-under-test';

/** A Redis of this file's own, which is made to refuse. */
let own: OwnServices;
let slots: SlotsUnderTest;
let operator: Redis;
/** What a worker would log: pino's levels, 40 for a warning, 30 for information. */
let lines: { level: number; msg: string }[];
let semaphore: Semaphore;

beforeAll(async () => {
  own = await OwnServices.open('redis');
  const silent = createLog('test', 'silent');
  operator = openRedis(own.environment['REDIS_URL']!, silent);
  const client = openRedis(own.environment['REDIS_URL']!, silent);
  await Promise.all([operator.connect(), client.connect()]);
  slots = await SlotsUnderTest.open(Promise.resolve(client));
});
afterAll(async () => {
  operator.disconnect();
  await slots.close();
  // Asked to end, one that cannot save does not.
  await own.crash('redis');
  await own.close();
});
beforeEach(async () => {
  await slots.empty();
  await slots.ready(1);
  lines = [];
  const log = pino(
    { base: null, timestamp: false },
    { write: (line) => void lines.push(JSON.parse(line) as (typeof lines)[number]) },
  );
  semaphore = new Semaphore(slots.redis, slots.db, 1, log);
});

const config = (name: string, value: string) => operator.config('SET', name, value);

/** Whatever the operation, and however often it is tried: refused, with one line, and nothing has changed. */
async function expectRefused(word: string, toldAs: RegExp): Promise<void> {
  const before = await slots.on(operator).state();
  const attempt = await slots.one();
  for (const ask of [
    () => semaphore.acquire(attempt, attempt.queueSeq),
    () => semaphore.confirm(attempt, 1),
    () => semaphore.release(attempt),
    () => semaphore.adoptLimit(),
    () => semaphore.acquire(attempt, attempt.queueSeq),
  ]) {
    const error = await waitUntil(`answered ${word}`, () =>
      ask().then(
        () => new Error('done as asked'),
        // A client that connects anew is not there for a moment.
        (thrown: unknown) => (/writeable|closed/i.test(String(thrown)) ? undefined : (thrown as Error)),
      ),
    );
    expect(error).toMatchObject({ message: expect.stringContaining(word) as string, category: 'BENIGN' });
  }
  expect(lines).toMatchObject([{ level: 40, msg: expect.stringMatching(toldAs) as string }]);
  expect(await slots.on(operator).state()).toEqual(before);
}

async function expectOver(): Promise<void> {
  const attempt = await slots.one();
  const slot = await waitUntil('done as asked', () => slots.acquire(semaphore, attempt).catch(() => undefined));
  expect(slot).toBe(1);
  await semaphore.release(attempt);
  expect(lines.slice(1)).toEqual([{ level: 30, msg: 'Redis does as it is asked again' }]);
}

test('a full Redis gives no slot and takes none back, and says so once', async () => {
  await config('maxmemory', '1');
  try {
    await expectRefused('OOM', /^Redis refuses to write: it is full.*maxmemory/);
  } finally {
    await config('maxmemory', '0');
  }
  await expectOver();
});

test('what only reads is answered by a full Redis, and does not count as the end of it', async () => {
  await config('maxmemory', '1');
  try {
    await expect(slots.acquire(semaphore, await slots.one())).rejects.toThrow('OOM');
    expect(await semaphore.holders()).toEqual([]);
    expect(await semaphore.unclaimed(0)).toEqual([]);
    expect(lines).toHaveLength(1);
  } finally {
    await config('maxmemory', '0');
  }
});

test('a Redis that became a replica is left for the one that the name leads to by now', async () => {
  const clientId = await slots.redis.client('ID');
  await operator.replicaof('127.0.0.1', '1');
  try {
    await expectRefused('READONLY', /^Redis refuses to write: it is a replica.*REDIS_URL/);
  } finally {
    await operator.replicaof('NO', 'ONE');
  }
  await expectOver();
  expect(await slots.redis.client('ID')).toBeGreaterThan(clientId);
});

test('a Redis that hangs is told of once, though it never refused', async () => {
  const [attempt, other] = [await slots.one(), await slots.one()];
  own.pause('redis');
  try {
    await Promise.all(
      [attempt, other].map((one) => expect(slots.acquire(semaphore, one)).rejects.toThrow('Command timed out')),
    );
  } finally {
    own.resume('redis');
  }
  expect(lines).toMatchObject([{ level: 40, msg: expect.stringContaining('does not answer in time') as string }]);
  await semaphore.release(attempt);
  await semaphore.release(other);
  expect(lines).toHaveLength(2);
});

test.each(['NOREPLICAS', 'MASTERDOWN', 'LOADING', 'NOAUTH', 'WRONGPASS', 'NOPERM'])(
  'an answer that begins with %s is a trouble of Redis’s, and has words for the operator',
  (word) => {
    const answer = Object.assign(new Error(`${word} and more`), { name: 'ReplyError' });
    expect(refusalOf(answer)).toMatch(/^Redis .*nothing new is dialled until then$/);
  },
);

test('an error that only our own fault explains is passed on as it is', async () => {
  await slots.redis.set('{slots}:queue', 'no sorted set');
  const error: unknown = await slots.acquire(semaphore, await slots.one()).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'ReplyError', message: expect.stringContaining('WRONGTYPE') as string });
  expect(lines).toEqual([]);
});

test('a Redis that is too old is named unfit', async () => {
  const old = { info: () => Promise.resolve('# Server\r\nredis_version:6.2.14\r\n') } as Pick<Redis, 'info'>;
  expect(await redisProblem(old)).toBe('Redis 6.2.14 is too old: 7.0 or newer is needed');
});

test('a Redis that may drop keys is named unfit, and told of once when it becomes so while calls are carried', async () => {
  expect(await redisProblem(slots.redis)).toBeUndefined();
  await config('maxmemory-policy', 'allkeys-lru');
  try {
    const problem = await redisProblem(slots.redis);
    expect(problem).toMatch(/maxmemory-policy allkeys-lru.*noeviction/);
    for (let round = 0; round < 3; round++) await semaphore.watchSettings();
    expect(lines).toEqual([{ level: 40, msg: problem }]);
  } finally {
    await config('maxmemory-policy', 'noeviction');
  }
  for (let round = 0; round < 3; round++) await semaphore.watchSettings();
  expect(lines.slice(1)).toEqual([{ level: 30, msg: 'Redis keeps every key again' }]);
});

test('a Redis that cannot save is not written to', async () => {
  const data = join(own.places.data, 'redis');
  // Its directory is gone from under it, and comes back no more: this test is the last.
  rmSync(data, { recursive: true });
  await operator.bgsave().catch(() => undefined);
  await waitUntil('noticed', async () => (await operator.info('persistence')).includes('rdb_last_bgsave_status:err'));
  try {
    await expectRefused('MISCONF', /^Redis refuses to write: it cannot save/);
  } finally {
    await config('stop-writes-on-bgsave-error', 'no');
  }
  await expectOver();
});
