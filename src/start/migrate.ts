import { existsSync } from 'node:fs';

import { Connection } from '@temporalio/client';

import { readConfig, type Config } from '../config';
import { openKafka } from '../events/kafka';
import { createLog } from '../log';
import { migrateDatabase } from '../store/migrate';
import { createTopics } from './create-topics';
import { openReachableDatabase } from './database';
import { registerNamespace } from './register-namespace';
import { DependencyError } from './role';
import { temporalConnectionOptions } from './temporal';
import { waitForDependency } from './wait-for-dependency';

/**
 * `npm run migrate`: brings PostgreSQL's schema, Kafka's topics and Temporal's namespace to where this version needs
 * them. Safe twice, and safe while an earlier version runs. Exits 1 with one line that names what failed.
 */
async function migrate(config: Config): Promise<void> {
  // Its words are for a person at a terminal; the log is for what goes wrong underneath.
  const log = createLog('migrate', config.LOG_LEVEL === 'debug' ? 'debug' : 'fatal');
  await step('PostgreSQL', 'DATABASE_URL', async () => {
    const db = await openReachableDatabase(config, log);
    try {
      for (const name of await migrateDatabase(db)) say(`PostgreSQL: ran migration ${name}`);
    } finally {
      await db.destroy();
    }
  });
  await step('Kafka', 'KAFKA_BROKERS', async () => {
    const admin = openKafka(config, log).admin();
    try {
      await waitForDependency(log, 'Kafka', 'KAFKA_BROKERS', () => admin.countBrokers());
      await createTopics(admin, say);
    } finally {
      await admin.close();
    }
  });
  await step('Temporal', 'TEMPORAL_ADDRESS', async () => {
    const connection = await waitForDependency(log, 'Temporal', 'TEMPORAL_ADDRESS', () =>
      Connection.connect(temporalConnectionOptions(config)),
    );
    try {
      await registerNamespace(connection, config.TEMPORAL_NAMESPACE, say);
    } finally {
      await connection.close();
    }
  });
}

async function step(name: string, setting: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    say(`${name}: up to date`);
  } catch (error) {
    if (error instanceof DependencyError) throw error;
    throw new DependencyError(`${name} (${setting}) could not be brought up to date`, { cause: error });
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`.replaceAll('\n', ' ');
}

async function main(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  try {
    await migrate(readConfig(process.env));
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = 1;
  }
}

void main();
