import { sql, type Kysely } from 'kysely';

/**
 * What lists and streams look things up by.
 *
 * Events get the number of the transaction that appended them, since ids are given out in another order than that in
 * which transactions commit. The default is stable, so that no row is written anew: events from before have this
 * migration's number.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table call_events add column xid xid8 not null default pg_current_xact_id()`.execute(db);
  await sql`create index call_events_xid on call_events (xid, id)`.execute(db);

  await sql`create index calls_created_at on calls (created_at, seq)`.execute(db);
  // Calls without metadata, which may be most, cost it nothing.
  await sql`create index calls_metadata on calls using gin (metadata jsonb_path_ops) where metadata <> '{}'`.execute(
    db,
  );
}
