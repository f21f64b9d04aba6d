import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { sql } from 'kysely';
import pg from 'pg';

import { readConfig } from '../../src/config';
import { openDatabase, type Database } from '../../src/store/database';
import { migrateDatabase } from '../../src/store/migrate';

export interface TestDatabase {
  db: Database;
  url: string;
  /** Closes the pool and drops the database, whoever else is still connected to it. */
  drop: () => Promise<void>;
}

/** A database of its own, fresh and migrated, on the server that DATABASE_URL names. */
export async function createTestDatabase(server?: string): Promise<TestDatabase> {
  const empty = await createEmptyDatabase(server);
  const db = openDatabase(empty.url, { poolSize: 20, onIdleError: () => undefined });
  await migrateDatabase(db);
  return {
    db,
    url: empty.url,
    drop: async () => {
      await db.destroy();
      await empty.drop();
    },
  };
}

/** @returns how many of the database's sessions wait for a lock */
export async function backendsThatWait(db: Database): Promise<number> {
  const { rows } = await sql`
    select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(db);
  return rows.length;
}

/** One whose server hangs up on whoever connects. */
export async function databaseAway(): Promise<TestDatabase> {
  const hungUp = createServer((socket) => socket.resume().end()).listen(0, '127.0.0.1');
  await once(hungUp, 'listening');
  const url = `postgres://nobody@127.0.0.1:${(hungUp.address() as AddressInfo).port}/nothing`;
  const db = openDatabase(url, { poolSize: 2, onIdleError: () => undefined });
  const drop = async () => {
    await db.destroy();
    hungUp.close();
  };
  return { db, url, drop };
}

/** A fresh database, before any migration. */
export async function createEmptyDatabase(
  server = readConfig(process.env).DATABASE_URL,
): Promise<Pick<TestDatabase, 'url' | 'drop'>> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await onServer(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => onServer(server, `drop database if exists ${name} with (force)`) };
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
