import { randomBytes } from 'node:crypto';

import { readConfig, type Config } from '../../src/config';
import type { Broker, OutgoingMessage, ReceivedMessage } from '../../src/events/broker';
import { openKafka } from '../../src/events/kafka';
import { createLog } from '../../src/log';
import { createTopics } from '../../src/start/create-topics';

export interface TestKafka {
  config: Config;
  broker: Broker;
  topics: { requests: string; deadLetters: string; events: string };
  send: (topic: string, messages: OutgoingMessage[]) => Promise<void>;
  /** What arrives on a topic, from its beginning, as it arrives: the array grows. */
  collect: (topic: string) => Promise<(ReceivedMessage & { partition: number })[]>;
  close: () => Promise<void>;
}

/** Brokers with the topics of the contract. @param env names them by KAFKA_BROKERS */
export async function openBroker(env: Record<string, string> = {}): Promise<Broker> {
  const broker = openKafka(readConfig({ ...process.env, ...env }), createLog('test', 'silent'));
  const admin = broker.admin();
  await createTopics(admin, () => undefined);
  await admin.close();
  return broker;
}

/** Topics of its own, fresh, on the brokers that KAFKA_BROKERS names. */
export async function createTestKafka(maxMessageBytes = 4 * 1024 * 1024): Promise<TestKafka> {
  const run = randomBytes(8).toString('hex');
  const config = readConfig({ ...process.env, KAFKA_GROUP_ID: `test-${run}` });
  const broker = openKafka(config, createLog('test', 'silent'));
  const topics = { requests: `test-${run}.in`, deadLetters: `test-${run}.dlq`, events: `test-${run}.events` };
  const [admin, producer] = [broker.admin(), broker.producer()];
  await admin.createTopics(
    [
      { name: topics.requests, partitions: 6, maxMessageBytes },
      { name: topics.deadLetters, partitions: 1, maxMessageBytes },
      { name: topics.events, partitions: 6, maxMessageBytes },
    ],
    { replicationFactor: 1 },
  );
  const open: (() => Promise<void>)[] = [];
  return {
    config,
    broker,
    topics,
    send: (topic, messages) => producer.send(topic, messages),
    collect: async (topic) => {
      const collected: (ReceivedMessage & { partition: number })[] = [];
      const consumer = await broker.startConsumer({
        groupId: `test-${run}-reader-${open.length}`,
        topic,
        onBatch: (batch) => {
          for (const message of batch.messages) {
            collected.push({ ...message, partition: batch.partition });
            batch.resolve(message.offset);
          }
          return Promise.resolve();
        },
      });
      open.push(consumer.close);
      return collected;
    },
    close: async () => {
      await Promise.all([producer.close(), ...open.map((close) => close())]);
      await admin.deleteTopics(Object.values(topics));
      await admin.close();
    },
  };
}
