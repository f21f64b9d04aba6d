import type { Client } from '@temporalio/client';
import type { Redis } from 'ioredis';
import { sql } from 'kysely';

import type { DependencyChecks } from '../api/health';
import type { Config } from '../config';
import { openKafka } from '../events/kafka';
import type { Logger } from '../log';
import type { Database } from '../store/database';

const temporalDeadlineSeconds = 1.5;

export interface OpenChecks {
  checks: DependencyChecks;
  close: () => Promise<void>;
}

/** What `GET /ready` asks. Each dependency is asked over a connection that stays. */
export function openDependencyChecks(
  config: Pick<Config, 'KAFKA_BROKERS'>,
  log: Logger,
  { db, temporal, redis }: { db: Database; temporal: Client; redis: Redis },
): OpenChecks {
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
    close: () => kafka.close(),
  };
}
