import { sql } from 'kysely';

import type { Database } from '../../src/store/database';

export interface Day {
  /** Calls on the line, each on a slot of its own. */
  held?: number;
  /** Calls that wait, every tenth for its next attempt. */
  waiting?: number;
  /** Calls that have ended in the last 24 hours, more of them around noon. */
  ended?: number;
}

/** The record as it is after a day of calls, the same each time but for the hour. No provider and no worker is needed. */
export async function fillDay(db: Database, { held = 0, waiting = 0, ended = 0 }: Day): Promise<void> {
  await putEnded(db, ended);
  await putHeld(db, held);
  await putWaiting(db, waiting);
  await sql`analyze calls, attempts`.execute(db);
}

/** Draws that are the same in every run: of PostgreSQL's hash, from 0 up to 1. */
const draw = (name: string) => sql<number>`(abs(hashint4(n * 7 + hashtext(${name}))::bigint) % 100000) / 100000.0`;
const to = (first: number) => sql<string>`'+9665' || (${first}::integer + n)`;
const script = sql<string>`(array['orderConfirmation', 'reminder', 'survey', 'welcome'])[1 + n % 4]`;
const reason = sql<string>`(array['NO_ANSWER', 'NO_ANSWER', 'NO_ANSWER', 'BUSY', 'BUSY', 'The carrier dropped the call',
  'UNREACHABLE'])[1 + n % 7]`;

async function putEnded(db: Database, ended: number): Promise<void> {
  await sql`
    with numbers as (
      select n, now() - interval '24 hours' + (interval '24 hours') * least(0.9995,
               (n + ${draw('when')}) / ${ended}::float + 0.09 * sin(2 * pi() * n / ${ended}::float)) as ended_at,
             ${draw('length')} as length, ${draw('wait')} as wait, ${draw('outcome')} as outcome
        from generate_series(1, ${ended}::integer) as n
    ), made as (
      insert into calls (id, to_number, script_id, metadata, max_attempts, attempts, status, last_error, external_call_id,
                         created_at, started_at, ended_at, updated_at, expires_at, seq, queue_seq)
      select gen_random_uuid(), ${to(10_000_000)}, ${script}, '{}', 3, case when outcome < 0.9 then 1 else 3 end,
             case when outcome < 0.91 then 'COMPLETED' when outcome < 0.98 then 'FAILED'
                  when outcome < 0.99 then 'EXPIRED' else 'CANCELED' end,
             case when outcome between 0.91 and 0.98 then ${reason} end, 'mock-' || n,
             started_at - make_interval(secs => 240 * wait ^ 4), started_at, ended_at, ended_at,
             ended_at + interval '1 day', nextval('call_order'), currval('call_order')
        from (select *, ended_at - make_interval(secs => 8 + 11 * (length + wait)) as started_at from numbers) as numbers
      returning *
    )
    insert into attempts (id, call_id, round, queue_seq, run_id, run_number, number, slot, to_number, external_call_id,
                          queued_at, started_at, ended_at, outcome, duration_sec)
    select gen_random_uuid(), id, 1, queue_seq, 'run', 1, 1, 1 + seq % 30, to_number, external_call_id,
           created_at, started_at, ended_at, case status when 'COMPLETED' then 'COMPLETED' else 'NO_ANSWER' end,
           extract(epoch from ended_at - started_at)
      from made`.execute(db);
}

async function putHeld(db: Database, held: number): Promise<void> {
  await sql`
    with made as (
      insert into calls (id, to_number, script_id, metadata, max_attempts, attempts, status, created_at, started_at,
                         expires_at, seq, queue_seq)
      select gen_random_uuid(), ${to(50_000_000)}, ${script}, '{}', 3, case when n % 8 = 5 then 2 else 1 end,
             'IN_PROGRESS', now() - interval '1 minute', now() - make_interval(secs => 1 + 27 * ${draw('since')}),
             now() + interval '1 day', nextval('call_order'), currval('call_order')
        from generate_series(1, ${held}::integer) as n
      returning *
    )
    insert into attempts (id, call_id, round, queue_seq, run_id, run_number, number, slot, to_number, external_call_id,
                          queued_at, started_at)
    select gen_random_uuid(), id, 1, queue_seq, 'run', attempts, attempts, slot, to_number,
           case when slot % 9 <> 4 then 'mock-' || slot end, created_at, started_at
      from (select *, row_number() over (order by seq) as slot from made) as made`.execute(db);
}

async function putWaiting(db: Database, waiting: number): Promise<void> {
  await sql`
    with made as (
      insert into calls (id, to_number, script_id, metadata, priority, max_attempts, attempts, status, created_at,
                         expires_at, next_attempt_at, seq, queue_seq)
      select gen_random_uuid(), ${to(60_000_000)}, ${script}, '{}', 3, 3, case when n % 10 = 6 then 1 else 0 end, 'PENDING',
             now() - make_interval(secs => 40 + (${waiting} - n) * 0.05), now() + interval '1 day',
             case when n % 10 = 6 then now() + make_interval(secs => 2 + n % 9) end,
             nextval('call_order'), currval('call_order')
        from generate_series(1, ${waiting}::integer) as n
      returning *
    )
    insert into attempts (id, call_id, round, queue_seq, run_id, run_number, queued_at)
    select gen_random_uuid(), id, 1, queue_seq, 'run', 1, created_at from made where next_attempt_at is null`.execute(
    db,
  );
}
