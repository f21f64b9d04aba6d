import { sql } from 'kysely';

import { builtOnce, type Blanks } from '../../src/store/built-once';
import { createTestDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

interface Values {
  word: string;
  count: number;
  at: Date | null;
}

let built = 0;
const echo = builtOnce((db, { word, count, at }: Blanks<Values>) => {
  built++;
  return db
    .selectNoFrom([
      sql<string>`${word}::text`.as('word'),
      sql<number>`${count}::integer`.as('count'),
      sql<Date | null>`${at}::timestamptz`.as('at'),
      sql<string>`repeat(${word}::text, ${count}::integer)`.as('repeated'),
      sql<string>`${'fixed'}::text`.as('fixed'),
    ])
    .where(sql<boolean>`${count}::integer > 0`);
});

test('a statement that is built once has the values of each execution, also of those at once', async () => {
  const all = Array.from({ length: 60 }, (_, index) => ({
    word: `word ${index}`,
    count: index % 3,
    at: index % 2 === 0 ? new Date(index * 1_000) : null,
  }));

  expect(await Promise.all(all.map((values) => echo(database.db, values)))).toEqual(
    all.map(({ word, count, at }) =>
      count === 0 ? [] : [{ word, count, at, repeated: word.repeat(count), fixed: 'fixed' }],
    ),
  );
  expect(built).toBe(1);
});

test('it takes part in the transaction that it is given', async () => {
  const { db } = database;
  const insert = builtOnce((trx, { name }: Blanks<{ name: string }>) =>
    trx
      .insertInto('personal_data_work')
      .columns(['kind', 'calls'])
      .expression(sql`select ${name}::text, 1`),
  );
  await expect(
    db.transaction().execute(async (trx) => {
      await insert(trx, { name: 'undone' });
      throw new Error('undo it');
    }),
  ).rejects.toThrow('undo it');
  await insert(db, { name: 'done' });

  const rows = await db
    .selectFrom('personal_data_work')
    .select('kind')
    .where('kind', 'in', ['undone', 'done'])
    .execute();
  expect(rows).toEqual([{ kind: 'done' }]);
});
