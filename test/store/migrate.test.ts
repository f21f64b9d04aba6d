import { Migrator, sql } from 'kysely';

import { appendRejection, clearOutbox, readOutbox } from '../../src/store/call-events';
import { openDatabase, type Database } from '../../src/store/database';
import { migrateDatabase, migrations, pendingMigrations } from '../../src/store/migrate';
import * as calls from '../../src/store/migrations/0001-calls';
import * as eventNotices from '../../src/store/migrations/0002-event-notices';
import { createEmptyDatabase } from '../support/database';

const opened: { db: Database; drop: () => Promise<void> }[] = [];

/** An empty database, and as many pools into it as processes that start. */
async function starters(count: number): Promise<Database[]> {
  const { url, drop } = await createEmptyDatabase();
  const pools = Array.from({ length: count }, () => openDatabase(url, { poolSize: 2, onIdleError: () => undefined }));
  for (const [index, db] of pools.entries())
    opened.push({ db, drop: index === count - 1 ? drop : () => Promise.resolve() });
  return pools;
}

afterEach(async () => {
  for (const { db, drop } of opened.splice(0)) {
    await db.destroy();
    await drop();
  }
});

test('of four who start at once on an empty database one migrates it, and all find it migrated', async () => {
  for (let round = 0; round < 5; round++) {
    const pools = await starters(4);
    const ran = await Promise.all(pools.map((db) => migrateDatabase(db)));
    const [one, ...others] = ran.filter((names) => names.length > 0);
    expect(others).toEqual([]);
    expect(one?.[0]).toBe('0001-calls');
    for (const db of pools) {
      expect(await pendingMigrations(db)).toEqual([]);
      expect(await db.selectFrom('calls').selectAll().execute()).toEqual([]);
    }
  }
});

test('migrating again changes nothing', async () => {
  const [db] = (await starters(1)) as [Database];
  await migrateDatabase(db);
  expect(await migrateDatabase(db)).toEqual([]);
});

test('looking for what is to be migrated creates nothing', async () => {
  const [db] = (await starters(1)) as [Database];
  const pending = await pendingMigrations(db);
  expect(pending[0]).toBe('0001-calls');
  const { rows } = await sql`select 1 from information_schema.tables where table_schema = 'public'`.execute(db);
  expect(rows).toEqual([]);
});

test('a migration that fails leaves nothing behind, and works once the obstacle is gone', async () => {
  const [db] = (await starters(1)) as [Database];
  await sql`create table call_events (obstacle integer)`.execute(db);
  await expect(migrateDatabase(db)).rejects.toThrow(/call_events/);
  const { rows } = await sql<{ name: string | null }>`select to_regclass('calls')::text as name`.execute(db);
  expect(rows).toEqual([{ name: null }]);
  await sql`drop table call_events`.execute(db);
  expect((await migrateDatabase(db))[0]).toBe('0001-calls');
});

test('calls accepted by a release without priorities have the usual one, before the migration and after', async () => {
  const [db] = (await starters(1)) as [Database];
  const released = { '0001-calls': calls, '0002-event-notices': eventNotices };
  await new Migrator({ db, provider: { getMigrations: () => Promise.resolve(released) } }).migrateToLatest();
  const accept = (id: string) =>
    sql`insert into calls (id, to_number, script_id, max_attempts, expires_at)
      values (${id}, ${id}, 's', 3, '2100-01-01')`.execute(db);
  await accept('00000000-0000-4000-8000-000000000001');
  expect(await migrateDatabase(db)).toContain('0003-priority');
  await accept('00000000-0000-4000-8000-000000000002');
  const rows = await db.selectFrom('calls').select(['priority', 'seq', 'queue_seq']).orderBy('seq').execute();
  expect(rows).toEqual([1, 2].map((seq) => ({ priority: 3, seq, queue_seq: seq })));
});

test('events that had not left when their outbox became a table stand in it, and those told after', async () => {
  const [db] = (await starters(1)) as [Database];
  await new Migrator({ db, provider: migrations }).migrateTo('0009-control');
  await sql`insert into call_events (sequence, type, body, source, published_at)
            values (1, 'call.rejected', '{}', 'left', now()), (1, 'call.rejected', '{}', 'waits', null)`.execute(db);
  expect(await migrateDatabase(db)).toContain('0010-outbox');
  await appendRejection(db, 'after', { requestId: null, reason: 'NUMBER_BUSY' });

  expect((await readOutbox(db, 10)).map(({ id }) => id)).toEqual([2, 3]);
  await clearOutbox(db, [2]);
  expect((await readOutbox(db, 10)).map(({ id }) => id)).toEqual([3]);
  await sql`delete from call_events`.execute(db);
  expect(await db.selectFrom('outbox').selectAll().execute()).toEqual([]);
});
