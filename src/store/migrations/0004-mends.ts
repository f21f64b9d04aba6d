import { sql, type Kysely } from 'kysely';

/** What the reconciler mended, counted over restarts; and since when an attempt has been in doubt. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table reconciler_mends (
      duty text primary key,
      mended bigint not null default 0,
      last_at timestamptz,
      completed_at timestamptz
    )`.execute(db);
  await sql`alter table attempts add column asked_at timestamptz`.execute(db);
  // Few or none at any time, among all the attempts there ever were.
  await sql`create index attempts_astray on attempts (id)
    where ended_at is not null and in_doubt and external_call_id is not null`.execute(db);
}
