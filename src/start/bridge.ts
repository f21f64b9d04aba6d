import { setTimeout as pause } from 'node:timers/promises';

import type { Broker } from '../events/broker';
import { openKafka } from '../events/kafka';
import { startRelay } from '../events/relay';
import { startKafkaRequests } from '../intake/kafka-requests';
import { Starter } from '../intake/starter';
import type { Logger } from '../log';
import { missingTopics } from './create-topics';
import { openReadyDatabase } from './database';
import { serveHealth } from './health-server';
import { measureKafkaLag } from './kafka-lag';
import { DependencyError, runRole, type RoleContext, type RunningRole } from './role';
import { openTemporalClient } from './temporal';
import { waitForDependency } from './wait-for-dependency';

/** The bridge between Kafka and us: requests come in by it, and events go out. It needs PostgreSQL and Kafka to start. */
async function openBridge({ config, log }: RoleContext): Promise<RunningRole> {
  const broker = openKafka(config, log);
  const db = await openReadyDatabase(config, log);
  await kafkaReady(broker, log);

  const temporal = openTemporalClient(config);
  const starter = new Starter({ db, temporal, policy: config, log });
  const requests = await startKafkaRequests({ db, config, broker, starter, log });
  const relay = startRelay({ config, broker, log });
  const lag = measureKafkaLag(broker, config);
  const health = await serveHealth({ config, log, alsoMeasured: lag.read });

  return {
    failed: requests.failed,
    close: async () => {
      // A broker that hangs must not keep us: what is not committed is delivered again, and makes no second call.
      await Promise.all([
        endWithin(log, 'requests from Kafka', requests.close()),
        endWithin(log, 'relay', relay.close()),
      ]);
      await health.close();
      await endWithin(log, 'Kafka admin', lag.close());
      await endWithin(log, 'PostgreSQL', db.destroy());
    },
  };
}

async function kafkaReady(broker: Broker, log: Logger): Promise<void> {
  const admin = broker.admin();
  try {
    await waitForDependency(log, 'Kafka', 'KAFKA_BROKERS', () => admin.countBrokers());
    const missing = await missingTopics(admin);
    if (missing.length > 0) {
      throw new DependencyError(`Kafka lacks the topics ${missing.join(', ')}: run \`npm run migrate\` first.`);
    }
  } finally {
    await endWithin(log, 'Kafka admin', admin.close());
  }
}

const endSeconds = 12;

async function endWithin(log: Logger, what: string, ending: Promise<void>): Promise<void> {
  const late = Symbol();
  const first = await Promise.race([ending, pause(endSeconds * 1_000, late, { ref: false })]);
  if (first === late) log.warn(`${what}: not ended within ${endSeconds} s; left to itself`);
}

void runRole('bridge', openBridge);
