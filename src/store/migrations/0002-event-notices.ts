import { sql, type Kysely } from 'kysely';

/**
 * Whoever appends events while the relay sleeps wakes it. The relay holds lock 728302 while it sleeps; who appends holds
 * it shared until its transaction ends, so that the relay cannot fall asleep over events it has not seen. A relay that
 * is awake looks by itself: then no NOTIFY is sent, for it makes commits queue up behind each other.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function notify_of_call_events() returns trigger language plpgsql as $$
    begin
      if not pg_try_advisory_xact_lock_shared(728302) then
        perform pg_notify('call_events', '');
      end if;
      return null;
    end $$`.execute(db);
  await sql`
    create trigger call_events_notices after insert on call_events
      for each statement execute function notify_of_call_events()`.execute(db);
}
