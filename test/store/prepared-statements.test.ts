import { sql } from 'kysely';

import type { Database } from '../../src/store/database';
import { openSession } from '../../src/store/session';
import { createTestDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());

const often = 30;

async function repeat(times: number, statement: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < times; i++) await statement();
}

/** The statements that the session of this transaction has under a name. */
async function known(trx: Database): Promise<string[]> {
  const { rows } = await sql<{ statement: string }>`select statement from pg_prepared_statements`.execute(trx);
  return rows.map(({ statement }) => statement);
}

test('a statement that comes again and again is read and planned once a session', async () => {
  const text = (which: number) => sql<{ sum: number }>`select ${which}::integer + 40001 as sum`;
  await db.transaction().execute(async (trx) => {
    await repeat(often, () => text(1).execute(trx));
    expect(await known(trx)).toEqual(expect.arrayContaining([expect.stringContaining('40001')]));
    expect((await text(2).execute(trx)).rows).toEqual([{ sum: 40003 }]);
  });
});

test('so is one of the leaders’ own sessions', async () => {
  const session = await openSession(database.url, 'prepared-statements-test');
  await repeat(often, () => sql`select ${1}::integer + 40002`.execute(session.db));
  expect(await known(session.db)).toEqual(expect.arrayContaining([expect.stringContaining('40002')]));
  await session.close();
});

test('one with a limit is planned anew each time: what is best for a list depends on what is asked for', async () => {
  await db.transaction().execute(async (trx) => {
    await repeat(often, () => trx.selectFrom('calls').selectAll().where('status', '=', 'PENDING').limit(7).execute());
    expect((await known(trx)).filter((statement) => statement.includes(' limit '))).toEqual([]);
  });
});

describe('while a process runs, a migration changes a table', () => {
  const read = (on: Database, table: string) => sql`select * from ${sql.table(table)} where id = ${1}`.execute(on);

  async function aKnownTable(table: string): Promise<void> {
    await sql`create table ${sql.table(table)} (id integer)`.execute(db);
    await sql`insert into ${sql.table(table)} values (1)`.execute(db);
    // On each of the pool's connections.
    for (let round = 0; round < often; round++) await Promise.all(Array.from({ length: 8 }, () => read(db, table)));
    await sql`alter table ${sql.table(table)} add column more text default 'more'`.execute(db);
  }

  test('a statement is sent anew, and whoever sent it notices nothing', async () => {
    await aKnownTable('grown');
    for (let round = 0; round < often; round++) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => read(db, 'grown')));
      for (const { rows } of answers) expect(rows).toEqual([{ id: 1, more: 'more' }]);
    }
  });

  test('a transaction that is lost by it fails, and those after it do not', async () => {
    await aKnownTable('grown_within');
    await expect(db.transaction().execute((trx) => read(trx, 'grown_within'))).rejects.toThrow('cached plan');
    for (let round = 0; round < often; round++) {
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => db.transaction().execute((trx) => read(trx, 'grown_within'))),
      );
      for (const { rows } of answers) expect(rows).toEqual([{ id: 1, more: 'more' }]);
    }
  });
});

// Last: it takes the names that are left.
test('texts that are ever new, as of lists of many lengths, do not fill the sessions', async () => {
  await db.transaction().execute(async (trx) => {
    for (let length = 1; length <= 150; length++) {
      await repeat(often, () => sql`select ${sql.join(Array.from({ length }, (_, i) => i))}`.execute(trx));
    }
    const ofThem = (await known(trx)).filter((statement) => /^select \$1(, \$\d+)*$/.test(statement));
    expect(ofThem.length).toBeGreaterThan(0);
    expect(ofThem.length).toBeLessThanOrEqual(64);
  });
});
