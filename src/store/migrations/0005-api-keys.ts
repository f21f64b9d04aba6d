import { sql, type Kysely } from 'kysely';

/** Keys to the API; of the secret in each only its hash is here. ../database.ts says what each column is for. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table api_keys (
      id text primary key,
      name text not null,
      secret_hash bytea not null check (octet_length(secret_hash) = 32),
      access text not null check (access in ('read', 'write', 'admin')),
      rate_limit_per_minute integer check (rate_limit_per_minute >= 0),
      created_at timestamptz not null default now(),
      revoked_at timestamptz,
      last_used_at timestamptz
    )`.execute(db);
}
