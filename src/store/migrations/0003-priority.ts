import { sql, type Kysely } from 'kysely';

/**
 * Calls accepted before have the usual priority, under which their places in the queue are what they were. No row is
 * written anew, and the default serves the release before, which runs meanwhile and names none.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table calls add column priority smallint not null default 3`.execute(db);
}
