import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { sql } from 'kysely';

import { readConfig } from '../../src/config';
import { openDatabase } from '../../src/store/database';
import { emptyRedisDatabase } from './redis';

export interface Secrets {
  /** Each secret of the service, in settings that work. */
  settings: Record<string, string>;
  /** The secret parts of them. */
  words: string[];
  /** Ends the connections to Redis of those who have its secret, and of no others. */
  cutRedis: () => Promise<void>;
  close: () => Promise<void>;
}

const word = () => `hush${randomBytes(20).toString('hex')}`;

/** Secrets that stand nowhere else: whoever comes upon one knows that it was let out. */
export async function makeSecrets(): Promise<Secrets> {
  const [database, redis, webhook, admin] = [word(), word(), word(), word()];
  const signing = randomBytes(32).toString('base64');
  const user = `user_${randomBytes(8).toString('hex')}`;
  const databaseUrl = new URL(readConfig(process.env).DATABASE_URL);
  const server = openDatabase(databaseUrl.href, { poolSize: 1, onIdleError: () => undefined });
  await sql`create role ${sql.id(user)} login superuser password ${sql.lit(database)}`.execute(server);
  Object.assign(databaseUrl, { username: user, password: database });

  const redisUrl = new URL(await emptyRedisDatabase());
  const operator = new Redis(redisUrl.href);
  await operator.call('ACL', 'SETUSER', user, 'on', `>${redis}`, '~*', '&*', '+@all');
  Object.assign(redisUrl, { username: user, password: redis });

  return {
    settings: {
      DATABASE_URL: databaseUrl.href,
      REDIS_URL: redisUrl.href,
      WEBHOOK_SECRET: webhook,
      WEBHOOK_SIGNING_SECRETS: `whsec_${signing}`,
      ADMIN_API_KEY: admin,
      API_KEYS: 'required',
    },
    words: [database, redis, webhook, signing, admin],
    cutRedis: async () => {
      await operator.call('CLIENT', 'KILL', 'USER', user);
    },
    close: async () => {
      await operator.call('ACL', 'DELUSER', user);
      operator.disconnect();
      await sql`drop role ${sql.id(user)}`.execute(server);
      await server.destroy();
    },
  };
}
