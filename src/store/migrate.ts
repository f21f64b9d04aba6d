import { Migrator, type MigrationProvider } from 'kysely';

import type { Database } from './database';
import * as calls from './migrations/0001-calls';
import * as eventNotices from './migrations/0002-event-notices';
import * as priority from './migrations/0003-priority';
import * as mends from './migrations/0004-mends';
import * as apiKeys from './migrations/0005-api-keys';
import * as eventOrder from './migrations/0006-event-order';
import * as webhooks from './migrations/0007-webhooks';
import * as personalData from './migrations/0008-personal-data';
import * as control from './migrations/0009-control';
import * as outbox from './migrations/0010-outbox';

/** In order, append-only: a migration that has run anywhere is never edited. */
export const migrations: MigrationProvider = {
  getMigrations: () =>
    Promise.resolve({
      '0001-calls': calls,
      '0002-event-notices': eventNotices,
      '0003-priority': priority,
      '0004-mends': mends,
      '0005-api-keys': apiKeys,
      '0006-event-order': eventOrder,
      '0007-webhooks': webhooks,
      '0008-personal-data': personalData,
      '0009-control': control,
      '0010-outbox': outbox,
    }),
};

/**
 * Brings the schema up to date, all or nothing; a second process that comes meanwhile waits for the first.
 *
 * @returns the names of the migrations that ran now
 * @throws the failed migration's error
 */
export async function migrateDatabase(db: Database): Promise<string[]> {
  const { error, results } = await new Migrator({ db, provider: migrations }).migrateToLatest();
  if (error !== undefined) throw error instanceof Error ? error : new Error('migration failed', { cause: error });
  return (results ?? []).map((result) => result.migrationName);
}

/** @returns the names of the migrations that have not run yet; reads only */
export async function pendingMigrations(db: Database): Promise<string[]> {
  const all = await new Migrator({ db, provider: migrations }).getMigrations();
  return all.filter((migration) => migration.executedAt === undefined).map((migration) => migration.name);
}
