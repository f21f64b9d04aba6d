import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import type { Config } from '../config';
import type { Logger } from '../log';
import { isDatabaseAway, openDatabase, type Database } from '../store/database';
import { pendingMigrations } from '../store/migrate';
import { DependencyError } from './role';

export interface DatabaseWait {
  /** How long PostgreSQL may take to answer, as it does while it starts up. */
  patienceSeconds: number;
  retrySeconds: number;
}

/**
 * Opens the pool and waits until PostgreSQL answers, its schema up to date.
 *
 * @throws DependencyError where PostgreSQL stays away or refuses us, or was not migrated
 */
export async function openReadyDatabase(
  config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL_SIZE'>,
  log: Logger,
  wait: DatabaseWait = { patienceSeconds: 20, retrySeconds: 1 },
): Promise<Database> {
  const db = openDatabase(config.DATABASE_URL, {
    poolSize: config.DATABASE_POOL_SIZE,
    onIdleError: (error) => log.warn({ err: error }, 'lost an idle connection to PostgreSQL'),
  });
  try {
    await untilItAnswers(db, config.DATABASE_URL, log, wait);
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

async function untilItAnswers(db: Database, url: string, log: Logger, wait: DatabaseWait): Promise<void> {
  const { host, pathname } = new URL(url);
  const deadline = Date.now() + wait.patienceSeconds * 1_000;
  for (;;) {
    try {
      await sql`select 1`.execute(db);
      return;
    } catch (error) {
      if (!isDatabaseAway(error)) {
        const database = decodeURIComponent(pathname.slice(1));
        throw new DependencyError(`PostgreSQL at ${host} refuses database ${database}: check DATABASE_URL.`, {
          cause: error,
        });
      }
      if (Date.now() >= deadline) {
        throw new DependencyError(
          `PostgreSQL at ${host} did not answer for ${wait.patienceSeconds} s: start it, or check DATABASE_URL.`,
          { cause: error },
        );
      }
      log.warn({ cause: String(error) }, `waiting for PostgreSQL at ${host}`);
      await delay(wait.retrySeconds * 1_000);
    }
  }
}
