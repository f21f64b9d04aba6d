import { sql, type Kysely } from 'kysely';

/** The four tables; ../database.ts says what each column is for. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create sequence call_order`.execute(db);
  await sql`
    create table calls (
      id uuid primary key,
      seq bigint not null default nextval('call_order'),
      queue_seq bigint not null default currval('call_order'),
      round integer not null default 1,
      to_number text not null,
      script_id text not null,
      metadata jsonb not null default '{}',
      status text not null default 'PENDING'
        check (status in ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'EXPIRED', 'CANCELED')),
      attempts integer not null default 0,
      max_attempts integer not null,
      last_error text,
      external_call_id text,
      created_at timestamptz not null default now(),
      started_at timestamptz,
      ended_at timestamptz,
      updated_at timestamptz not null default now(),
      expires_at timestamptz not null,
      next_attempt_at timestamptz,
      event_sequence integer not null default 1,
      handoff text check (handoff in ('START', 'EDITED', 'CANCEL')),
      handoff_at timestamptz,
      request_key text,
      request_hash text,
      source text
    )`.execute(db);
  // The promise of one call at a time to a number, whichever door it came through.
  await sql`create unique index calls_active_number on calls (to_number) where status in ('PENDING', 'IN_PROGRESS')`.execute(
    db,
  );
  await sql`create unique index calls_request_key on calls (request_key) where request_key is not null`.execute(db);
  await sql`create unique index calls_source on calls (source) where source is not null`.execute(db);
  await sql`create unique index calls_seq on calls (seq)`.execute(db);
  await sql`create index calls_status on calls (status, seq)`.execute(db);
  await sql`create index calls_to_number on calls (to_number, seq)`.execute(db);
  await sql`create index calls_script_id on calls (script_id, seq)`.execute(db);
  await sql`create index calls_handoff on calls (handoff_at) where handoff is not null`.execute(db);
  await sql`create index calls_expiry on calls (expires_at) where status = 'PENDING'`.execute(db);

  await sql`
    create table attempts (
      id uuid primary key,
      call_id uuid not null references calls (id) on delete cascade,
      round integer not null,
      queue_seq bigint not null,
      run_id text not null,
      run_number integer not null,
      number integer,
      slot integer check (slot >= 1),
      to_number text,
      external_call_id text,
      in_doubt boolean not null default false,
      queued_at timestamptz not null default now(),
      started_at timestamptz,
      ended_at timestamptz,
      outcome text,
      failure_reason text,
      duration_sec integer,
      check (started_at is null or (slot is not null and number is not null and to_number is not null))
    )`.execute(db);
  // The fences: one attempt in progress on a slot, and one on a number, whatever Redis or a late process believes.
  await sql`create unique index attempts_slot on attempts (slot) where started_at is not null and ended_at is null`.execute(
    db,
  );
  await sql`create unique index attempts_number on attempts (to_number) where started_at is not null and ended_at is null`.execute(
    db,
  );
  await sql`create index attempts_waiting on attempts (queue_seq) where started_at is null and ended_at is null`.execute(
    db,
  );
  await sql`create index attempts_call on attempts (call_id, queued_at)`.execute(db);
  await sql`create index attempts_external_call_id on attempts (external_call_id) where external_call_id is not null`.execute(
    db,
  );

  await sql`
    create table provider_reports (
      id bigint generated always as identity primary key,
      attempt_id uuid references attempts (id) on delete cascade,
      external_call_id text not null,
      status text not null,
      duration_sec integer,
      failure_reason text,
      completed_at timestamptz not null,
      received_at timestamptz not null default now(),
      delivered_at timestamptz,
      unique (external_call_id, status)
    )`.execute(db);
  await sql`create index provider_reports_attempt on provider_reports (attempt_id)`.execute(db);
  await sql`create index provider_reports_undelivered on provider_reports (received_at) where delivered_at is null`.execute(
    db,
  );

  await sql`
    create table call_events (
      id bigint generated always as identity primary key,
      event_id uuid not null default gen_random_uuid(),
      call_id uuid references calls (id) on delete cascade,
      sequence integer not null,
      type text not null,
      at timestamptz not null default now(),
      body json not null,
      source text unique,
      published_at timestamptz,
      unique (call_id, sequence)
    )`.execute(db);
  await sql`create index call_events_unpublished on call_events (id) where published_at is null`.execute(db);
}
