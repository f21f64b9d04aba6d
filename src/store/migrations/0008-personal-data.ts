import { sql, type Kysely } from 'kysely';

/**
 * Calls whose personal data was forgotten. What comes late, such as a webhook or the answer to a delivery, is held back by
 * triggers: whoever writes it, also the release before, it waits for a forgetting that is under way and then stores
 * nothing that was to be forgotten.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table calls add column forgotten_at timestamptz, add column request_key_hash text`.execute(db);
  await sql`alter table calls drop constraint calls_handoff_check`.execute(db);
  await sql`alter table calls add constraint calls_handoff_check
    check (handoff in ('START', 'EDITED', 'CANCEL', 'FORGET')) not valid`.execute(db);
  await sql`create unique index calls_request_key_hash on calls (request_key_hash)
    where request_key_hash is not null`.execute(db);
  await createIndexesOfRetention(db);
  await createCounts(db);
  await keepHashesOfRequestKeys(db);
  await holdBackLateReports(db);
  await holdBackLateAnswers(db);
}

async function createIndexesOfRetention(db: Kysely<unknown>): Promise<void> {
  await sql`create index calls_to_forget on calls (ended_at)
    where ended_at is not null and forgotten_at is null`.execute(db);
  await sql`create index calls_ended on calls (ended_at) where ended_at is not null`.execute(db);
}

async function createCounts(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table personal_data_work (
      kind text primary key,
      calls bigint not null default 0,
      last_at timestamptz
    )`.execute(db);
}

/** So that a key that was forgotten is known when it comes again: by a unique index, as the key itself. */
async function keepHashesOfRequestKeys(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function hash_request_key() returns trigger language plpgsql as $$
    begin
      new.request_key_hash := encode(sha256(convert_to(new.request_key, 'UTF8')), 'hex');
      return new;
    end $$`.execute(db);
  await sql`
    create trigger calls_request_key_hash before insert on calls
      for each row when (new.request_key is not null) execute function hash_request_key()`.execute(db);
}

async function holdBackLateReports(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function hold_back_late_report() returns trigger language plpgsql as $$
    declare forgotten timestamptz;
    begin
      -- Waits for whoever is forgetting the call, and sees what came of it.
      select calls.forgotten_at into forgotten
        from calls join attempts on attempts.call_id = calls.id
       where attempts.id = new.attempt_id
         for share of calls;
      if forgotten is not null then
        new.failure_reason := null;
      end if;
      return new;
    end $$`.execute(db);
  await sql`
    create trigger provider_reports_late before insert or update on provider_reports
      for each row when (new.attempt_id is not null and new.failure_reason is not null)
      execute function hold_back_late_report()`.execute(db);
}

async function holdBackLateAnswers(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function hold_back_late_answer() returns trigger language plpgsql as $$
    declare forgotten timestamptz;
    begin
      select calls.forgotten_at into forgotten
        from calls join webhook_deliveries on webhook_deliveries.call_id = calls.id
       where webhook_deliveries.id = new.delivery_id
         for share of calls;
      if forgotten is not null then
        new.response := null;
      end if;
      return new;
    end $$`.execute(db);
  await sql`
    create trigger webhook_tries_late before insert or update on webhook_tries
      for each row when (new.response is not null) execute function hold_back_late_answer()`.execute(db);
}
