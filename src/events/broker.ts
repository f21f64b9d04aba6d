import type { UndecodableBatch } from './record-codecs';

/** What the service sees of Kafka. `kafka.ts` is the one file that knows the client library behind it. */

export type MessageHeaders = Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;

export interface OutgoingMessage {
  key: Buffer | string | null;
  value: Buffer | string | null;
  headers?: MessageHeaders;
}

export interface ReceivedMessage {
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: MessageHeaders;
  /** When it was sent, by its sender's clock or its broker's. */
  sentAt: Date;
  /** Set where the message's batch could not be decompressed: then the batch's first message has its bytes as value. */
  undecodable?: UndecodableBatch;
}

/** Messages of one partition, in order. What is resolved is committed when the handler returns or throws. */
export interface ReceivedBatch {
  topic: string;
  partition: number;
  messages: ReceivedMessage[];
  /** The message at this offset and all before it are done with: once committed they are not delivered again. */
  resolve: (offset: string) => void;
  /** Stays in the group. @throws where the group is rebalancing: leave the rest, its next owner gets it again */
  heartbeat: () => Promise<void>;
  /** False where the consumer is closing or the partition went to another: leave the rest. */
  goOn: () => boolean;
}

export interface ConsumerOptions {
  groupId: string;
  topic: string;
  onBatch: (batch: ReceivedBatch) => Promise<void>;
  /** So long without a sign of life from the client library counts as its end. */
  silenceSeconds?: number;
}

export interface Consumer {
  /** Rejects where the consumer cannot go on by itself: the process must be started again. */
  failed: Promise<never>;
  /** Lets the batch in hand end, commits what is resolved and leaves the group. */
  close: () => Promise<void>;
}

export interface Producer {
  /**
   * Sends in order, and returns when all in-sync replicas have the messages. Connects when first used and anew after an
   * error, so it may simply be called again. Where it throws, part of the messages may have been sent.
   *
   * @throws MessageTooLargeError where the topic takes no message of that size
   */
  send: (topic: string, messages: readonly OutgoingMessage[], options?: { gzip?: boolean }) => Promise<void>;
  close: () => Promise<void>;
}

/** A message is larger than its topic's max.message.bytes. Trying again does not help. */
export class MessageTooLargeError extends Error {
  override name = 'MessageTooLargeError';
}

export interface TopicSettings {
  partitions: number;
  maxMessageBytes: number;
}

export interface Admin {
  /** @returns how many brokers there are. @throws where none answers */
  countBrokers: () => Promise<number>;
  /** @returns the settings of those of the topics that exist, by name */
  describeTopics: (names: readonly string[]) => Promise<Map<string, TopicSettings>>;
  /** Safe where some exist already: those stay as they are. */
  createTopics: (
    topics: readonly (TopicSettings & { name: string })[],
    options: { replicationFactor: number },
  ) => Promise<void>;
  /** @returns how many messages of each partition the group has not committed, by partition */
  readLag: (groupId: string, topic: string) => Promise<Map<number, number>>;
  deleteTopics: (names: readonly string[]) => Promise<void>;
  /** @returns by partition the offsets that a topic's messages are between: of the oldest, and one past the newest */
  offsetsOf: (topic: string) => Promise<Map<number, { from: bigint; end: bigint }>>;
  /** A group that has no members any more. */
  deleteGroup: (groupId: string) => Promise<void>;
  close: () => Promise<void>;
}

/** No connection is made before the first use of what these return. */
export interface Broker {
  producer: () => Producer;
  admin: () => Admin;
  startConsumer: (options: ConsumerOptions) => Promise<Consumer>;
}
