import { sql } from 'kysely';

import type { Database } from '../../src/store/database';

/** Every row of every table, as text. */
export async function allTables(db: Database): Promise<string> {
  const { rows } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables
     where table_schema = 'public' and table_type = 'BASE TABLE'`.execute(db);
  const dumps = rows.map(async ({ name }) => {
    const { rows: dumped } = await sql<{ row: string }>`select t::text as row from ${sql.table(name)} t`.execute(db);
    return dumped.map(({ row }) => `${name}: ${row}`).join('\n');
  });
  return (await Promise.all(dumps)).join('\n');
}
