import { sql } from 'kysely';

import type { ApiKeyRow, Database } from './database';

export type NewApiKey = Pick<ApiKeyRow, 'id' | 'name' | 'secret_hash' | 'access' | 'rate_limit_per_minute'>;

export async function insertApiKey(db: Database, key: NewApiKey): Promise<ApiKeyRow> {
  return db.insertInto('api_keys').values(key).returningAll().executeTakeFirstOrThrow();
}

/** All there ever were, oldest first. */
export async function listApiKeys(db: Database): Promise<ApiKeyRow[]> {
  return db.selectFrom('api_keys').selectAll().orderBy('created_at').orderBy('id').execute();
}

/** Those that have not been revoked. */
export async function listLiveApiKeys(db: Database): Promise<ApiKeyRow[]> {
  return db.selectFrom('api_keys').selectAll().where('revoked_at', 'is', null).execute();
}

/** A key that was revoked before keeps its time. @returns undefined where there is no such key */
export async function markApiKeyRevoked(db: Database, id: string): Promise<ApiKeyRow | undefined> {
  return db
    .updateTable('api_keys')
    .set({ revoked_at: sql<Date>`coalesce(revoked_at, now())` })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

/** At most one write a minute and key, however many processes see it used. */
export async function markApiKeyUsed(db: Database, id: string): Promise<void> {
  await sql`
    update api_keys set last_used_at = now()
     where id = ${id} and (last_used_at is null or last_used_at < now() - interval '1 minute')`.execute(db);
}
