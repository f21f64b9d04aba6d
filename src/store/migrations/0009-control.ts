import { sql, type Kysely } from 'kysely';

/** The pause switch, and what the board and the statistics look things up by. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // One row, or none before the switch was first used. Each turn of it has a number, by which an index of it, Redis, knows
  // an earlier turn that reaches it late.
  await sql`
    create table control (
      is_only boolean primary key default true check (is_only),
      turn bigint not null,
      paused_at timestamptz,
      reason text,
      resumed_at timestamptz
    )`.execute(db);
  await sql`create index calls_queue on calls (queue_seq) where status = 'PENDING'`.execute(db);
  await sql`create index attempts_ended on attempts (ended_at)
    where ended_at is not null and started_at is not null`.execute(db);
}
