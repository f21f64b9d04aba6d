import { topics } from '../call/names';
import type { Admin } from '../events/broker';

/** A message of 1 MB must come in, and go on to the dead letters with our headers and its batch's wrapping added. */
const wanted = [
  { name: topics.requests, partitions: 6, maxMessageBytes: 2 * 1024 * 1024 },
  { name: topics.deadLetters, partitions: 1, maxMessageBytes: 4 * 1024 * 1024 },
  { name: topics.events, partitions: 6, maxMessageBytes: 2 * 1024 * 1024 },
];

/**
 * Creates the topics that are missing; one that exists stays as its operator made it.
 *
 * @param say told of each step, in words for people
 */
export async function createTopics(admin: Admin, say: (line: string) => void): Promise<void> {
  const names = wanted.map(({ name }) => name);
  const before = await admin.describeTopics(names);
  const replicationFactor = Math.min(3, await admin.countBrokers());
  await admin.createTopics(wanted, { replicationFactor });
  for (const { name, partitions, maxMessageBytes } of wanted) {
    const there = before.get(name);
    if (!there) {
      say(`Kafka: created topic ${name} (partitions: ${partitions}, replicas: ${replicationFactor})`);
    } else if (there.maxMessageBytes < maxMessageBytes) {
      say(`Kafka: topic ${name} takes messages of up to ${there.maxMessageBytes} bytes only;`);
      say(
        `  set its max.message.bytes to ${maxMessageBytes}, or what is larger is refused or loses its value on the way`,
      );
    }
  }
}

/** @returns those of our topics that do not exist */
export async function missingTopics(admin: Admin): Promise<string[]> {
  const names = Object.values(topics);
  const existing = await admin.describeTopics(names);
  return names.filter((name) => !existing.has(name));
}
