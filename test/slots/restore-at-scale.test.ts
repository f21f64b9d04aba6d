import { Redis } from 'ioredis';
import { sql } from 'kysely';

import { createLog } from '../../src/log';
import { Semaphore } from '../../src/slots/semaphore';
import { emptyRedisDatabase } from '../support/redis';
import { waitUntil } from '../support/wait-until';
import { SlotsUnderTest } from './slots-under-test';

let slots: SlotsUnderTest;

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
});
afterAll(() => slots.close());

/** The advisory lock that src/slots/semaphore.ts restores under. */
const restoreLock = 7_305_001;

test('those who wait for a restore leave the other connections of their pool to other work', async () => {
  const attempts = await slots.waiting(60);
  const semaphore = slots.semaphore(4);
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  // Another process restores, and takes long.
  const otherProcess = slots.db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${restoreLock})`.execute(trx);
    await held;
  });
  const replies = Promise.all(attempts.map((attempt) => semaphore.acquire(attempt, attempt.queueSeq)));
  try {
    await waitUntil('one waits for the other process', async () => {
      const { rows } = await sql`select 1 from pg_locks where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())`.execute(slots.db);
      return rows.length === 1;
    });
  } finally {
    letGo();
    await Promise.allSettled([otherProcess, replies]);
  }
  const granted = (await replies).flatMap(({ grants }) => grants);
  expect(granted.map(({ slot }) => slot).sort()).toEqual([1, 2, 3, 4]);
  await slots.expectSound();
  await slots.empty();
});

test('a queue of 70,000 is restored whole', async () => {
  const waiting = 70_000;
  await sql`insert into calls (id, to_number, script_id, max_attempts, expires_at)
    select gen_random_uuid(), '+' || n, 's', 3, '2100-01-01' from generate_series(1, ${waiting}::integer) n`.execute(
    slots.db,
  );
  await sql`insert into attempts (id, call_id, round, queue_seq, run_id, run_number)
    select gen_random_uuid(), id, 1, queue_seq, id, 1 from calls`.execute(slots.db);
  // Without the service's patience of 3 s, which a busy machine may exceed: another try would find the work done.
  const redis = new Redis(await emptyRedisDatabase());
  const { grants } = await new Semaphore(redis, slots.db, 30, createLog('test', 'silent')).adoptLimit();
  redis.disconnect();
  expect(grants).toHaveLength(30);
  expect((await slots.state()).queue).toHaveLength(waiting - 30);
});
