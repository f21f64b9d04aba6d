import { sql } from 'kysely';

import type { Config } from '../config';
import type { Logger } from '../log';
import { openDatabase, type Database } from '../store/database';
import { isDatabaseAway } from '../store/database-errors';
import { pendingMigrations } from '../store/migrate';
import { DependencyError } from './role';
import { waitForDependency } from './wait-for-dependency';

/**
 * Opens the pool and waits until PostgreSQL answers with the schema we need.
 *
 * @throws DependencyError where PostgreSQL stays away, refuses us, or was not migrated
 */
export async function openReadyDatabase(
  config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL_SIZE'>,
  log: Logger,
): Promise<Database> {
  const db = await openReachableDatabase(config, log);
  try {
    const missing = await pendingMigrations(db);
    if (missing.length > 0) {
      throw new DependencyError(`The database lacks ${missing.join(', ')}: run \`npm run migrate\` first.`);
    }
    return db;
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

/**
 * Opens the pool and waits until PostgreSQL answers.
 *
 * @throws DependencyError where PostgreSQL stays away or refuses us
 */
export async function openReachableDatabase(
  config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL_SIZE'>,
  log: Logger,
): Promise<Database> {
  const db = openDatabase(config.DATABASE_URL, {
    poolSize: config.DATABASE_POOL_SIZE,
    // Its message alone: the error carries the whole client with it.
    onIdleError: (error) => log.warn({ reason: error.message }, 'PostgreSQL connection lost; the pool makes a new one'),
  });
  try {
    const refusal = await waitForDependency(log, 'PostgreSQL', 'DATABASE_URL', () => reach(db));
    if (refusal !== undefined) {
      throw new DependencyError('PostgreSQL refuses us: check the user, password and database of DATABASE_URL.', {
        cause: refusal,
      });
    }
    return db;
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

/** @returns why PostgreSQL refuses us, which waiting does not mend. @throws what says that it is away */
async function reach(db: Database): Promise<unknown> {
  try {
    await sql`select 1`.execute(db);
    return undefined;
  } catch (error) {
    if (isDatabaseAway(error)) throw error;
    return error;
  }
}
