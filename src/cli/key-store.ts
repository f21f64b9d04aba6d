import { existsSync } from 'node:fs';

import { KeyOrderError } from '../access/keys';
import { ConfigError, readConfig } from '../config';
import { openDatabase, type Database } from '../store/database';
import { isDatabaseTrouble } from '../store/database-errors';
import { ServiceAwayError, UsageError } from './exit-codes';

export { createKey, listKeys, revokeKey } from '../access/keys';

/** Works on the service's own database, by the settings that the service itself reads. */
export async function withDatabase<Result>(
  env: NodeJS.ProcessEnv,
  work: (db: Database) => Promise<Result>,
): Promise<Result> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const db = openDatabase(databaseUrl(env), { poolSize: 1, onIdleError: () => undefined });
  try {
    return await work(db);
  } catch (error) {
    if (error instanceof KeyOrderError) throw new UsageError(error.message);
    if (!isDatabaseTrouble(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ServiceAwayError(
      `PostgreSQL does not serve us: ${reason}. DATABASE_URL says where it is; npm run migrate makes its tables.`,
    );
  } finally {
    await db.destroy();
  }
}

function databaseUrl(env: NodeJS.ProcessEnv): string {
  try {
    return readConfig(env).DATABASE_URL;
  } catch (error) {
    throw error instanceof ConfigError ? new UsageError(error.message) : error;
  }
}
