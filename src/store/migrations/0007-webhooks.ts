import { sql, type Kysely } from 'kysely';

/**
 * Webhooks to clients; ../database.ts says what each column is for. What is to be delivered is written by a trigger, so
 * that it stands or falls with the event whoever writes it, also the release before. Where nobody wants the events it
 * costs a look at an empty table and at the calls in hand.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table calls add column webhook_url text, add column webhook_gone_at timestamptz`.execute(db);
  await createTables(db);
  await createIndexes(db);
  await createTrigger(db);
}

async function createTables(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table webhook_endpoints (
      id uuid primary key default gen_random_uuid(),
      seq bigint generated always as identity unique,
      url text not null,
      description text not null,
      event_types text[],
      secrets jsonb not null,
      disabled_at timestamptz,
      disabled_reason text,
      failing_since timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    )`.execute(db);
  // No foreign key to the endpoint: deleted while an event is being written, it would take the event down with it.
  await sql`
    create table webhook_deliveries (
      id uuid primary key default gen_random_uuid(),
      seq bigint generated always as identity unique,
      endpoint_id uuid,
      event_id bigint not null references call_events (id) on delete cascade,
      call_id uuid,
      url text not null,
      state text not null default 'PENDING' check (state in ('PENDING', 'DELIVERED', 'FAILED')),
      round integer not null default 1,
      started_at timestamptz,
      tries integer not null default 0,
      round_tries integer not null default 0,
      next_try_at timestamptz,
      last_status integer,
      last_error text,
      created_at timestamptz not null default now(),
      ended_at timestamptz,
      unique nulls not distinct (event_id, endpoint_id)
    )`.execute(db);
  await sql`
    create table webhook_tries (
      delivery_id uuid not null references webhook_deliveries (id) on delete cascade,
      number integer not null,
      at timestamptz not null default now(),
      url text not null,
      duration_ms integer,
      status integer,
      error text,
      response text,
      primary key (delivery_id, number)
    )`.execute(db);
}

async function createIndexes(db: Kysely<unknown>): Promise<void> {
  await sql`create index webhook_deliveries_to_start on webhook_deliveries (seq)
    where state = 'PENDING' and started_at is null`.execute(db);
  await sql`create index webhook_deliveries_pending on webhook_deliveries (seq) where state = 'PENDING'`.execute(db);
  await sql`create index webhook_deliveries_endpoint on webhook_deliveries (endpoint_id, seq)`.execute(db);
  await sql`create index webhook_deliveries_call on webhook_deliveries (call_id, seq)`.execute(db);
  await sql`create index webhook_deliveries_state on webhook_deliveries (state, seq)`.execute(db);
}

/** Whoever hands deliveries to Temporal holds lock 728304 while it sleeps, and is woken as the relay is (0002). */
async function createTrigger(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function notify_of_webhook_deliveries() returns void language plpgsql as $$
    begin
      if not pg_try_advisory_xact_lock_shared(728304) then
        perform pg_notify('webhook_deliveries', '');
      end if;
    end $$`.execute(db);
  await sql`
    create function order_webhook_deliveries() returns trigger language plpgsql as $$
    begin
      insert into webhook_deliveries (endpoint_id, event_id, call_id, url)
      select target.endpoint_id, told.id, told.call_id, target.url
        from told, lateral (
          select id as endpoint_id, url from webhook_endpoints
           where disabled_at is null and (event_types is null or told.type = any (event_types))
          union all
          select null, webhook_url from calls
           where id = told.call_id and webhook_url is not null and webhook_gone_at is null
        ) as target
       order by told.id;
      if found then
        perform notify_of_webhook_deliveries();
      end if;
      return null;
    end $$`.execute(db);
  await sql`
    create trigger call_events_webhooks after insert on call_events referencing new table as told
      for each statement execute function order_webhook_deliveries()`.execute(db);
}
