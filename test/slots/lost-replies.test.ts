import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import type { Redis } from 'ioredis';

import { createLog } from '../../src/log';
import { openRedis } from '../../src/slots/redis';
import { Semaphore } from '../../src/slots/semaphore';
import { emptyRedisDatabase } from '../support/redis';
import { Toxiproxy } from '../support/toxiproxy';
import { waitUntil } from '../support/wait-until';
import { SlotsUnderTest, grantOf, type Attempt } from './slots-under-test';

let slots: SlotsUnderTest;
let wire: LossyWire;
let redis: Redis;
const log = createLog('test', 'silent');

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
  const url = new URL(await emptyRedisDatabase());
  wire = await openLossyWire({ host: url.hostname, port: Number(url.port) });
  url.host = `127.0.0.1:${wire.port}`;
  redis = openRedis(url.href, log);
  await redis.connect();
});
afterAll(async () => {
  redis.disconnect();
  await wire.close();
  await slots.close();
});
beforeEach(() => slots.empty());
afterEach(() => slots.expectSound());

interface LossyWire {
  port: number;
  /** The next reply is lost: Redis has done what it was asked, and the connection is cut. */
  loseNextReply: () => void;
  /** Replies lost so far. */
  lost: number;
  close: () => Promise<void>;
}

async function openLossyWire(target: { host: string; port: number }): Promise<LossyWire> {
  let losing = false;
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(target);
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined));
    near.on('close', () => far.destroy()).pipe(far);
    far.on('close', () => near.destroy());
    far.on('data', (reply) => {
      if (!losing) near.write(reply);
      else {
        losing = false;
        lossy.lost += 1;
        near.destroy();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const lossy: LossyWire = {
    port: (server.address() as AddressInfo).port,
    loseNextReply: () => {
      losing = true;
    },
    lost: 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return lossy;
}

/** Asks over a wire that loses the reply, then again. @returns the second answer */
async function askTwice<T>(ask: () => Promise<T>): Promise<T> {
  const lostBefore = wire.lost;
  wire.loseNextReply();
  await expect(ask()).rejects.toThrow();
  expect(wire.lost).toBe(lostBefore + 1);
  await waitUntil('connected again', () => redis.status === 'ready');
  return ask();
}

test('an acquire whose reply was lost gets the same slot when it asks again, and no second one', async () => {
  await slots.ready(3);
  const semaphore = new Semaphore(redis, slots.db, 3, log);
  const attempt = await slots.one();
  expect((await askTwice(() => semaphore.acquire(attempt, attempt.queueSeq))).value).toBe(1);
  expect((await slots.state()).free).toEqual([2, 3]);
});

test('a release whose reply was lost has given the slot on; the grant that was not told is found unclaimed', async () => {
  await slots.ready(1);
  const semaphore = new Semaphore(redis, slots.db, 1, log);
  const [a, b] = (await slots.waiting(2)) as [Attempt, Attempt];
  for (const attempt of [a, b]) await semaphore.acquire(attempt, attempt.queueSeq);
  await semaphore.confirm(a, 1);
  expect(await askTwice(() => semaphore.release(a))).toEqual({ value: 0, grants: [] });
  expect(await semaphore.unclaimed(0)).toEqual([grantOf(b, 1)]);
});

test('while Redis is away a command fails at once, and none is sent later behind its caller’s back', async () => {
  await slots.ready(1);
  const url = new URL(await emptyRedisDatabase());
  const toxiproxy = await Toxiproxy.open();
  const proxy = await toxiproxy.to(url.host);
  url.host = proxy.address;
  const client = openRedis(url.href, log);
  await client.connect();
  const semaphore = await slots.ready(1);
  const overProxy = new Semaphore(client, slots.db, 1, log);
  const attempt = await slots.one();

  await proxy.cut();
  await waitUntil('noticed', () => client.status !== 'ready');
  const began = Date.now();
  await expect(overProxy.acquire(attempt, attempt.queueSeq)).rejects.toThrow();
  expect(Date.now() - began).toBeLessThan(1_000);
  await proxy.restore();
  await waitUntil('back', () => client.status === 'ready');
  expect((await semaphore.unclaimed(0)).length).toBe(0);
  expect((await overProxy.acquire(attempt, attempt.queueSeq)).value).toBe(1);
  client.disconnect();
  await toxiproxy.close();
});
