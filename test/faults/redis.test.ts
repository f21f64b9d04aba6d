import { findAttempt } from '../../src/store/attempts';
import { OwnServices } from '../support/own-services';
import { Toxiproxy, type Proxy } from '../support/toxiproxy';
import { waitUntil } from '../support/wait-until';
import { Stage, type Rehearsal } from './stage';

let own: OwnServices;
let toxiproxy: Toxiproxy;
let stage: Stage;
/** The worker reaches Redis through it. */
let proxy: Proxy;

beforeAll(async () => {
  [own, toxiproxy] = await Promise.all([OwnServices.open('redis'), Toxiproxy.open()]);
  stage = await Stage.open({ settings: own.environment, callSeconds: 4 });
  const redis = new URL(own.environment['REDIS_URL']!);
  proxy = await toxiproxy.to(redis.host);
  redis.host = proxy.address;
  await Promise.all([stage.service.start('api'), stage.service.run('worker', { REDIS_URL: redis.href })]);
}, 120_000);
afterAll(async () => {
  await stage.close();
  await toxiproxy.close();
  await own.close();
});

/**
 * Thirty on the line and fifty waiting by Redis's own count; those that are dialled from here on are over soon.
 *
 * @returns what lets the thirty end, once Redis has them and the fifty again
 */
async function thirtyAndFifty(rehearsal: Rehearsal): Promise<() => Promise<void>> {
  const release = stage.holdTheLine();
  // Free slots go to whoever asks first, so the order of the fifty counts from where there is none.
  await rehearsal.place(30);
  await rehearsal.untilOnTheLine(30);
  await rehearsal.place(50);
  await untilRedisHasAll();
  stage.decide = () => stage.usually({ seconds: 3 });
  return async () => {
    await untilRedisHasAll();
    release();
  };
}

async function untilRedisHasAll(): Promise<void> {
  const counts = () => Promise.all([stage.redis.hlen('{slots}:holders'), stage.redis.zcard('{slots}:queue')]);
  await waitUntil('30 hold a slot in Redis, 50 wait', async () => (await counts()).join() === '30,50', 60);
}

/**
 * Nobody was dialled further ahead of the order of acceptance than there are slots. One that is late has not lost its
 * turn: its slot was its own, and the word of it was lost with Redis and told again some seconds later.
 */
function expectOrderKept(): void {
  const dialled = stage.dialled.map(({ to }) => to);
  const accepted = [...dialled].sort();
  const ahead = dialled.map((to, index) => accepted.indexOf(to) - index);
  expect(Math.max(...ahead)).toBeLessThanOrEqual(stage.limit);
}

async function untilTold(line: string): Promise<void> {
  await waitUntil(`the worker says: ${line}`, () => stage.service.output('worker').includes(line), 30);
}

test('4: Redis is emptied with 30 in progress and 50 waiting: never a 31st, and the order is kept', () =>
  stage.rehearse(4, 'Redis flushed, 30 in progress, 50 waiting', async (rehearsal) => {
    const release = await thirtyAndFifty(rehearsal);
    await stage.redis.flushall();
    rehearsal.fired();
    await release();
    await rehearsal.converge();
    expect(stage.dialled).toHaveLength(80);
    expectOrderKept();
  }));

test.each(['with', 'without'])('5: Redis crashes and comes back %s its data: never a 31st, the order kept', (kept) =>
  stage.rehearse(5, `Redis killed, back ${kept} its data`, async (rehearsal) => {
    const release = await thirtyAndFifty(rehearsal);
    await own.crash('redis');
    rehearsal.fired();
    if (kept === 'without') own.removeData('redis');
    await own.start('redis');
    rehearsal.over();
    await release();
    await rehearsal.converge();
    expect(stage.dialled).toHaveLength(80);
    expectOrderKept();
  }),
);

test('6: Redis hangs: nothing is dialled, POST answers within a second, and all goes on after', () =>
  stage.rehearse(6, 'Redis hangs (SIGSTOP)', async (rehearsal) => {
    own.pause('redis');
    try {
      rehearsal.fired();
      for (let call = 0; call < 3; call++) {
        const started = performance.now();
        await rehearsal.place(1);
        expect(performance.now() - started).toBeLessThan(1_000);
      }
      // The worker has found out: its question was not answered in time.
      await untilTold('Redis does not answer in time');
      expect(stage.dialled).toHaveLength(0);
    } finally {
      own.resume('redis');
    }
    rehearsal.over();
  }));

test('7: Redis is out of memory: nothing is dialled, one line says so, and all goes on after', () =>
  stage.rehearse(7, 'Redis out of memory', async (rehearsal) => {
    const full = 'Redis refuses to write: it is full';
    await stage.redis.config('SET', 'maxmemory', '1mb');
    try {
      rehearsal.fired();
      await rehearsal.place(5);
      await untilTold(full);
      expect(stage.dialled).toHaveLength(0);
    } finally {
      await stage.redis.config('SET', 'maxmemory', '0');
    }
    rehearsal.over();
    await rehearsal.converge();
    expect(stage.service.output('worker').split(full)).toHaveLength(2);
  }));

test('7: a worker refuses to start on a Redis that may drop keys', async () => {
  await stage.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
  try {
    await expect(stage.service.run('worker')).rejects.toThrow(/maxmemory-policy allkeys-lru.*noeviction/);
  } finally {
    await stage.redis.config('SET', 'maxmemory-policy', 'noeviction');
  }
});

test("8: the semaphore's reply is lost: the repeat gets the same slot", () =>
  stage.rehearse(8, "a semaphore's reply is lost", async (rehearsal) => {
    const connected = async () => String(await stage.redis.client('LIST')).includes('name=call-orchestrator-worker');
    const unclaimed = async () => {
      const words = await stage.redis.zrange('{slots}:unclaimed', '0', '-1');
      return Promise.all(words.map(async (word) => [word, await stage.redis.hget('{slots}:holders', word)] as const));
    };
    try {
      // Whatever the worker asks next loses its reply, and with it the connection: again, until that was for a slot.
      const given = await waitUntil(
        'a slot given, and not heard of',
        async () => {
          await proxy.restore();
          await waitUntil('the worker connected', connected);
          await proxy.loseReplies();
          await rehearsal.place(2);
          await waitUntil('its connection cut', async () => !(await connected()));
          const unheard = await unclaimed();
          return unheard.length > 0 && unheard;
        },
        60,
      );
      rehearsal.fired(given.length);
      await proxy.restore();
      rehearsal.over();
      await rehearsal.converge();
      for (const [word, slot] of given) {
        const attempt = await findAttempt(stage.service.database.db, word.split('/')[1]!);
        expect(String(attempt?.slot)).toBe(slot);
      }
    } finally {
      await proxy.restore();
    }
  }));
