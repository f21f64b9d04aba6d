import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { createLog } from '../../src/log';
import { openRedis } from '../../src/slots/redis';
import { OwnServices } from '../support/own-services';
import { waitUntil } from '../support/wait-until';
import { SlotsUnderTest, grantOf, type Attempt } from './slots-under-test';

/** Redis processes of this file's own: to be killed, and to take over from each other. */
const servers: OwnServices[] = [];
const opened: SlotsUnderTest[] = [];

async function startRedis(): Promise<OwnServices> {
  const server = await OwnServices.open('redis');
  servers.push(server);
  return server;
}

async function slotsOn(server: OwnServices): Promise<SlotsUnderTest> {
  const redis = openRedis(server.environment['REDIS_URL']!, createLog('test', 'silent'));
  await redis.connect();
  const slots = await SlotsUnderTest.open(Promise.resolve(redis));
  opened.push(slots);
  return slots;
}

afterEach(async () => {
  for (const slots of opened.splice(0)) await slots.close();
  for (const server of servers.splice(0)) await server.close();
});

const idsOf = (attempts: readonly Attempt[]) => attempts.map(({ attemptId }) => attemptId);

test('a Redis that comes back with older data is not trusted: who joined since stands in the queue, in order', async () => {
  const server = await startRedis();
  const slots = await slotsOn(server);
  // What is answered is on the disk, so that the copy holds all that was done before it.
  await slots.redis.config('SET', 'appendfsync', 'always');
  const semaphore = await slots.ready(2);
  const [first, second, third] = (await slots.waiting(3)) as [Attempt, Attempt, Attempt];
  for (const attempt of [first, second]) await slots.putOnLine(semaphore, attempt);
  await slots.acquire(semaphore, third);
  const data = join(server.places.data, 'redis');
  cpSync(data, `${data}-before`, { recursive: true });

  const later = await slots.waiting(3);
  const urgent = await slots.one(1);
  for (const attempt of [...later, urgent]) await slots.acquire(semaphore, attempt);
  await slots.end(first);
  expect((await semaphore.release(first)).grants).toMatchObject([{ attemptId: urgent.attemptId }]);
  const { epoch: oldEpoch } = await slots.state();

  await server.crash('redis');
  rmSync(data, { recursive: true });
  renameSync(`${data}-before`, data);
  await server.start('redis');
  await waitUntil('connected again', () => slots.redis.status === 'ready');
  expect(await slots.state()).toMatchObject({ epoch: oldEpoch, queue: idsOf([third]) });

  // Any operation finds out. The grant that nobody claimed is lost with the rest, and given anew.
  expect(await semaphore.adoptLimit()).toEqual({ value: 2, grants: [grantOf(urgent, 1)] });
  const after = await slots.state();
  expect(after).toMatchObject({ queue: idsOf([third, ...later]), slots: new Map([[second.attemptId, 2], [urgent.attemptId, 1]]) }); // prettier-ignore
  expect(after.epoch).not.toBe(oldEpoch);
  await slots.expectSound();
});

test('a replica that takes over is not trusted: what it had not heard of yet is there all the same', async () => {
  const [primary, replica] = await Promise.all([startRedis(), startRedis()]);
  const before = await slotsOn(primary);
  const semaphore = await before.ready(1);
  const [live, ...waiting] = (await before.waiting(4)) as [Attempt, ...Attempt[]];
  await before.putOnLine(semaphore, live);
  await before.acquire(semaphore, waiting[0]!);

  await before.redis.config('SET', 'repl-diskless-sync-delay', '0');
  const { hostname, port } = new URL(primary.environment['REDIS_URL']!);
  const after = openRedis(replica.environment['REDIS_URL']!, createLog('test', 'silent'));
  await after.connect();
  await after.replicaof(hostname, port);
  await waitUntil('in step', async () => (await after.zcard('{slots}:queue')) === 1);
  await after.replicaof('NO', 'ONE');
  // What the primary was told after that, nobody hears of.
  for (const attempt of waiting) await before.acquire(semaphore, attempt);

  const promoted = before.on(after);
  const newcomer = await before.one();
  expect(await promoted.acquire(promoted.semaphore(1), newcomer)).toBe(0);
  expect((await promoted.state()).queue).toEqual(idsOf([...waiting, newcomer]));
  await promoted.expectSound();
  after.disconnect();
});
