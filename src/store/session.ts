import { setTimeout as pause } from 'node:timers/promises';

import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';

import type { Database, Schema } from './database';
import { withNames } from './prepared-statements';

/** One connection to PostgreSQL of its own: what a session holds, such as a lock, lasts exactly as long as it does. */
export interface Session {
  /** Its statements all go over the one connection: that they succeed shows that the session still stands. */
  db: Database;
  /** Aborted when the connection is lost or closed. */
  ended: AbortSignal;
  /** Takes the lock of that number, if nobody has it, until the session ends. */
  tryLock: (lock: number) => Promise<boolean>;
  unlock: (lock: number) => Promise<void>;
  /** Told of each notification on the channel from now on. */
  listen: (channel: string, onNotice: () => void) => Promise<void>;
  close: () => Promise<void>;
}

/** Numbers of PostgreSQL's session advisory locks, all in one place so that no two purposes share one. */
export const sessionLocks = {
  /** Its holder is the relay that leads. */
  relay: 728_301,
  /** Held while the relay sleeps: whoever appends an event then wakes it (migration 0002). */
  relaySleeps: 728_302,
  /** Its holder hands webhook deliveries to Temporal. */
  webhooks: 728_303,
  /** Held while it sleeps (migration 0007). */
  webhooksSleep: 728_304,
  /** Its holder tells Redis of the pause switch. */
  pauseSwitch: 728_305,
  /** Held while it sleeps. */
  pauseSwitchSleeps: 728_306,
} as const;

/**
 * Opens a session. The server ends it where its process no longer speaks (stopped, or its machine gone), so that a lock
 * is never held by the dead. Its commits do not wait for the disk: what a leader writes down is what it has done, each
 * of which may be done again. A server that crashes may forget the last of it, and never what others committed.
 *
 * @param givenUpAfterSeconds without a word; the session speaks several times within it
 * @throws where no connection can be made within 5 s
 */
export async function openSession(url: string, name: string, givenUpAfterSeconds = 60): Promise<Session> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 15_000,
    query_timeout: 20_000,
    keepAlive: true,
    application_name: name,
    options: `-c idle_session_timeout=${givenUpAfterSeconds}s -c synchronous_commit=off -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4`,
  });
  const ending = new AbortController();
  client.on('error', (error) => ending.abort(error));
  client.on('end', () => ending.abort(new Error('the connection to PostgreSQL ended')));
  await client.connect();

  const db = new Kysely<Schema>({
    dialect: new PostgresDialect({
      pool: {
        connect: () => Promise.resolve({ ...withNames(client), release: () => undefined }),
        end: () => client.end(),
      },
    }),
  });
  const timer = setInterval(() => {
    sql`select 1`.execute(db).catch((error: unknown) => ending.abort(error));
  }, givenUpAfterSeconds * 250);
  ending.signal.addEventListener('abort', () => clearInterval(timer));

  return {
    db,
    ended: ending.signal,
    tryLock: async (lock) => {
      const { rows } = await sql<{ locked: boolean }>`select pg_try_advisory_lock(${lock}) as locked`.execute(db);
      return rows[0]?.locked === true;
    },
    unlock: async (lock) => {
      await sql`select pg_advisory_unlock(${lock})`.execute(db);
    },
    listen: async (channel, onNotice) => {
      client.on('notification', (notice) => {
        if (notice.channel === channel) onNotice();
      });
      await sql`listen ${sql.id(channel)}`.execute(db);
    },
    close: async () => {
      ending.abort(new Error('the session was closed'));
      // A server that hangs does not answer the goodbye; it ends the session by itself when it comes round.
      await Promise.race([db.destroy().catch(() => undefined), pause(2_000, undefined, { ref: false })]);
    },
  };
}
