import type { Client } from '@temporalio/client';
import { sql } from 'kysely';

import type { DependencyChecks } from '../api/health';
import type { Config } from '../config';
import { openKafka } from '../events/kafka';
import type { Logger } from '../log';
import { openRedis } from '../slots/redis';
import type { Database } from '../store/database';

const temporalDeadlineSeconds = 1.5;

export interface OpenChecks {
  checks: DependencyChecks;
  close: () => Promise<void>;
}

/** What `GET /ready` asks. Each dependency is asked over a connection that stays; none is made before the first question. */
export function openDependencyChecks(
  config: Pick<Config, 'REDIS_URL' | 'KAFKA_BROKERS'>,
  log: Logger,
  { db, temporal }: { db: Database; temporal: Client },
): OpenChecks {
  const redis = openRedis(config.REDIS_URL, log);
  const kafka = openKafka(config, log).admin();
  return {
    checks: {
      postgres: {
        required: true,
        check: async () => {
          await sql`select 1`.execute(db);
        },
      },
      temporal: {
        required: false,
        check: async () => {
          const { namespace } = temporal.options;
          await temporal.withDeadline(Date.now() + temporalDeadlineSeconds * 1_000, () =>
            temporal.workflowService.describeNamespace({ namespace }),
          );
        },
      },
      redis: {
        required: false,
        check: async () => {
          if (redis.status === 'wait') await redis.connect();
          await redis.ping();
        },
      },
      kafka: {
        required: false,
        check: async () => {
          await kafka.countBrokers();
        },
      },
    },
    close: async () => {
      redis.disconnect();
      await kafka.close();
    },
  };
}
