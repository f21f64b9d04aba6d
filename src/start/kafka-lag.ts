import { Gauge, Registry } from 'prom-client';

import { topics } from '../call/names';
import type { Config } from '../config';
import type { Broker } from '../events/broker';

/**
 * How far the bridges are behind with `calls.requests`: asked of the brokers at each scrape, so that it is right also where
 * a bridge gets nothing or stands still. Each bridge tells of the whole group.
 */
export function measureKafkaLag(
  broker: Broker,
  { KAFKA_GROUP_ID }: Pick<Config, 'KAFKA_GROUP_ID'>,
): { read: () => Promise<string>; close: () => Promise<void> } {
  const admin = broker.admin();
  const registry = new Registry();
  const messages = new Gauge({
    name: 'orchestrator_kafka_lag_messages',
    help: 'Requests on Kafka that are not taken in yet, by partition',
    labelNames: ['topic', 'partition'],
    registers: [registry],
  });
  return {
    read: async () => {
      const lag = await admin.readLag(KAFKA_GROUP_ID, topics.requests);
      messages.reset();
      for (const [partition, behind] of lag) messages.set({ topic: topics.requests, partition }, behind);
      return registry.metrics();
    },
    close: () => admin.close(),
  };
}
