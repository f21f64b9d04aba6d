import { sql, type Kysely } from 'kysely';

/**
 * What has not left for Kafka stands in a table of its own, which nothing but ids is in: to mark an event as sent within
 * its row wrote the row anew, with an entry in each of its indexes. Whoever appends events fills it, and wakes the relay,
 * as migration 0002 has it.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table outbox (event_id bigint primary key)`.execute(db);
  await sql`insert into outbox select id from call_events where published_at is null`.execute(db);
  await sql`
    create or replace function notify_of_call_events() returns trigger language plpgsql as $$
    begin
      insert into outbox select id from told;
      if not pg_try_advisory_xact_lock_shared(728302) then
        perform pg_notify('call_events', '');
      end if;
      return null;
    end $$`.execute(db);
  await sql`drop trigger call_events_notices on call_events`.execute(db);
  await sql`
    create trigger call_events_outbox after insert on call_events referencing new table as told
      for each statement execute function notify_of_call_events()`.execute(db);
  // In place of a foreign key, which would be checked, and its event's row locked, for each event that is told.
  await sql`
    create function forget_outbox_entries() returns trigger language plpgsql as $$
    begin
      delete from outbox using gone where outbox.event_id = gone.id;
      return null;
    end $$`.execute(db);
  await sql`
    create trigger call_events_gone after delete on call_events referencing old table as gone
      for each statement execute function forget_outbox_entries()`.execute(db);
  await sql`drop index call_events_unpublished`.execute(db);
  await sql`alter table call_events drop column published_at`.execute(db);

  // Most events have no source: they need no entry that says so.
  await sql`alter table call_events drop constraint call_events_source_key`.execute(db);
  await sql`create unique index call_events_source on call_events (source) where source is not null`.execute(db);
}
