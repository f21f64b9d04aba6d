import { Kafka, logLevel } from 'kafkajs';

/** Everything that is on the topics so far is gone from them. */
export async function emptyTopics(brokers: string, topics: readonly string[]): Promise<void> {
  const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    for (const topic of topics) {
      const offsets = await admin.fetchTopicOffsets(topic);
      const partitions = offsets.map(({ partition, high }) => ({ partition, offset: high }));
      await admin.deleteTopicRecords({ topic, partitions });
    }
  } finally {
    await admin.disconnect();
  }
}

/** Back when the brokers have them all. */
export async function sendMany(brokers: string, topic: string, values: readonly string[]): Promise<void> {
  const producer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  try {
    for (let at = 0; at < values.length; at += messagesAtOnce) {
      const messages = values.slice(at, at + messagesAtOnce).map((value) => ({ value }));
      await producer.send({ topic, messages });
    }
  } finally {
    await producer.disconnect();
  }
}

const messagesAtOnce = 1_000;
