import { setTimeout as pause } from 'node:timers/promises';

import { ConfigResourceTypes, KafkaJSProtocolError, type Kafka } from 'kafkajs';

import type { Admin, TopicSettings } from './broker';
import { Reconnecting } from './reconnecting';

type KafkaAdmin = ReturnType<Kafka['admin']>;

/** What is asked of the brokers themselves: which topics there are, and to make those that are missing. */
export function openAdmin(kafka: Kafka): Admin {
  const client = new Reconnecting(() =>
    kafka.admin({ retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 2 } }),
  );
  const existing = async (names: readonly string[]) => {
    const all = new Set(await client.use((admin) => admin.listTopics()));
    return names.filter((name) => all.has(name));
  };
  return {
    countBrokers: async () => (await client.use((admin) => admin.describeCluster())).brokers.length,
    describeTopics: async (names) => describeTopics(client, await existing(names)),
    createTopics: async (topics, { replicationFactor }) => {
      const there = new Set(await existing(topics.map(({ name }) => name)));
      const missing = topics.filter(({ name }) => !there.has(name));
      if (missing.length === 0) return;
      await client.use((admin) =>
        admin.createTopics({
          // kafkajs gives up at a broker that has not heard of a topic just made; ours waits.
          waitForLeaders: false,
          topics: missing.map(({ name, partitions, maxMessageBytes }) => ({
            topic: name,
            numPartitions: partitions,
            replicationFactor,
            configEntries: [{ name: 'max.message.bytes', value: String(maxMessageBytes) }],
          })),
        }),
      );
      await untilTheyHaveLeaders(
        client,
        missing.map(({ name }) => name),
      );
    },
    readLag: (groupId, topic) => client.use((admin) => readLag(admin, groupId, topic)),
    deleteTopics: (names) => client.use((admin) => admin.deleteTopics({ topics: [...names] })),
    offsetsOf: (topic) => client.use((admin) => offsetsOf(admin, topic)),
    deleteGroup: async (groupId) => {
      await client.use((admin) => admin.deleteGroups([groupId]));
    },
    close: () => client.close(),
  };
}

const leadersSeconds = 30;
const notYet = ['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE'];

/** A topic can be used once each of its partitions has a leader, and every broker has heard of it. */
async function untilTheyHaveLeaders(client: Reconnecting<KafkaAdmin>, names: readonly string[]): Promise<void> {
  const deadline = Date.now() + leadersSeconds * 1_000;
  for (;;) {
    try {
      const { topics } = await client.use((admin) => admin.fetchTopicMetadata({ topics: [...names] }));
      const partitions = topics.flatMap((topic) => topic.partitions);
      if (partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)) return;
      if (Date.now() > deadline) throw new Error(`topics without a leader after ${leadersSeconds} s`);
    } catch (error) {
      const transient = error instanceof KafkaJSProtocolError && notYet.includes(error.type);
      if (!transient || Date.now() > deadline) throw error;
    }
    await pause(100);
  }
}

async function describeTopics(
  client: Reconnecting<KafkaAdmin>,
  names: readonly string[],
): Promise<Map<string, TopicSettings>> {
  if (names.length === 0) return new Map();
  const { topics } = await client.use((admin) => admin.fetchTopicMetadata({ topics: [...names] }));
  const { resources } = await client.use((admin) =>
    admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames: ['max.message.bytes'] })),
    }),
  );
  return new Map(
    topics.map(({ name, partitions }) => {
      const entries = resources.find((resource) => resource.resourceName === name)?.configEntries ?? [];
      return [name, { partitions: partitions.length, maxMessageBytes: Number(entries[0]?.configValue) }];
    }),
  );
}

async function offsetsOf(admin: KafkaAdmin, topic: string): Promise<Map<number, { from: bigint; end: bigint }>> {
  const partitions = await admin.fetchTopicOffsets(topic);
  return new Map(partitions.map(({ partition, low, high }) => [partition, { from: BigInt(low), end: BigInt(high) }]));
}

async function readLag(admin: KafkaAdmin, groupId: string, topic: string): Promise<Map<number, number>> {
  const [offsets, [group]] = await Promise.all([
    offsetsOf(admin, topic),
    admin.fetchOffsets({ groupId, topics: [topic] }),
  ]);
  const committed = new Map(group?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  return new Map(
    [...offsets].map(([partition, { from, end }]) => {
      // -1 where nothing was committed yet: the group's first start takes what was sent before it.
      const taken = Math.max(committed.get(partition) ?? -1, Number(from));
      return [partition, Math.max(0, Number(end) - taken)];
    }),
  );
}
