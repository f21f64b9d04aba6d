import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

import {
  CompressionCodecs,
  CompressionTypes,
  Kafka,
  KafkaJSProtocolError,
  logLevel,
  Partitioners,
  type Consumer as KafkaJsConsumer,
  type EachBatchPayload,
  type KafkaConfig,
  type KafkaMessage,
} from 'kafkajs';

import type { Config } from '../config';
import type { Logger } from '../log';
import {
  MessageTooLargeError,
  type Broker,
  type Consumer,
  type ConsumerOptions,
  type OutgoingMessage,
  type Producer,
  type ReceivedBatch,
  type ReceivedMessage,
} from './broker';
import { openAdmin } from './kafka-admin';
import { mendTimers } from './kafkajs-timers';
import { Reconnecting } from './reconnecting';
import { decompressors, standInOf, unfailing } from './record-codecs';

const requestTimeoutMs = 15_000;

/** Brokers refuse a record batch over 1 MB unless its topic allows more. */
const bytesPerRequest = 512 * 1024;

/** kafkajs keeps its codecs in one table for the process, and knows gzip only. We read them all and write gzip. */
const gzipCodec = {
  compress: (encoder: { buffer: Buffer }) => promisify(gzip)(encoder.buffer),
  decompress: unfailing('gzip', decompressors.gzip),
};
CompressionCodecs[CompressionTypes.GZIP] = () => gzipCodec;
CompressionCodecs[CompressionTypes.Snappy] = () => ({ decompress: unfailing('snappy', decompressors.snappy) });
CompressionCodecs[CompressionTypes.LZ4] = () => ({ decompress: unfailing('lz4', decompressors.lz4) });
CompressionCodecs[CompressionTypes.ZSTD] = () => ({ decompress: unfailing('zstd', decompressors.zstd) });

/** Kafka by kafkajs. */
export function openKafka(config: Pick<Config, 'KAFKA_BROKERS'>, log: Logger): Broker {
  mendTimers();
  const settings: KafkaConfig = {
    clientId: 'call-orchestrator',
    brokers: config.KAFKA_BROKERS,
    connectionTimeout: 5_000,
    requestTimeout: requestTimeoutMs,
    retry: { initialRetryTime: 200, maxRetryTime: 5_000, retries: 5 },
    ...logInto(log),
  };
  const kafka = new Kafka(settings);
  return {
    producer: () => openProducer(kafka),
    // Its questions are asked while someone waits for the answer.
    admin: () => openAdmin(new Kafka({ ...settings, requestTimeout: 5_000 })),
    startConsumer: (options) => startConsumer(kafka, log, options),
  };
}

/**
 * kafkajs tells each failed try as an error. While a broker is away that is the same line several times a second: each
 * is a warning once a minute, and debugging matter in between.
 */
function logInto(log: Logger): Pick<KafkaConfig, 'logLevel' | 'logCreator'> {
  const toldAt = new Map<string, number>();
  return {
    logLevel: log.isLevelEnabled('debug') ? logLevel.INFO : logLevel.ERROR,
    logCreator:
      () =>
      ({ level, namespace, log: { message, ...details } }) => {
        const line = `Kafka: ${namespace ? `${namespace}: ` : ''}${message}`;
        const again = Date.now() - (toldAt.get(line) ?? 0) < 60_000;
        if (level !== logLevel.ERROR || again) {
          log.debug({ kafka: details }, line);
          return;
        }
        if (toldAt.size >= 1_000) toldAt.clear();
        toldAt.set(line, Date.now());
        const { broker, error } = details as { broker?: unknown; error?: unknown };
        log.warn({ ...(broker !== undefined && { broker }), ...(typeof error === 'string' && { error }) }, line);
      },
  };
}

function openProducer(kafka: Kafka): Producer {
  const client = new Reconnecting(() =>
    kafka.producer({
      // Tries within one send then neither repeat nor reorder messages.
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { initialRetryTime: 200, maxRetryTime: 2_000, retries: 2 },
    }),
  );
  return {
    send: async (topic, messages, options = {}) => {
      for (const piece of inPieces(messages)) {
        const compression = options.gzip ? CompressionTypes.GZIP : CompressionTypes.None;
        try {
          await client.use((producer) =>
            producer.send({ topic, messages: piece, acks: -1, timeout: requestTimeoutMs, compression }),
          );
        } catch (error) {
          const cause = error instanceof Error ? (error.cause ?? error) : error;
          if (cause instanceof KafkaJSProtocolError && cause.type === 'MESSAGE_TOO_LARGE') {
            throw new MessageTooLargeError(`a message is larger than ${topic} takes`, { cause: error });
          }
          throw error;
        }
      }
    },
    close: () => client.close(),
  };
}

function inPieces(messages: readonly OutgoingMessage[]): OutgoingMessage[][] {
  const pieces: OutgoingMessage[][] = [];
  let room = 0;
  for (const message of messages) {
    const bytes = sizeOf(message);
    if (bytes > room) {
      pieces.push([]);
      room = bytesPerRequest;
    }
    pieces.at(-1)?.push(message);
    room -= bytes;
  }
  return pieces;
}

function sizeOf({ key, value, headers = {} }: OutgoingMessage): number {
  const parts = [key, value, ...Object.entries(headers).flat(2)];
  return parts.reduce((sum, part) => sum + (part ? Buffer.byteLength(part) : 0), 0);
}

/** One is read and checked while another waits for the database; more only wait for each other there. */
const partitionsAtOnce = 2;

async function startConsumer(kafka: Kafka, log: Logger, options: ConsumerOptions): Promise<Consumer> {
  const { groupId, topic, onBatch } = options;
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: 30_000,
    rebalanceTimeout: 60_000,
    heartbeatInterval: 3_000,
    // A short wait lets the consumer stop soon, a long one keeps it idle; a message that comes meanwhile ends it at once.
    maxWaitTimeInMs: 2_000,
    maxBytes: 8 * 1024 * 1024,
    maxBytesPerPartition: 2 * 1024 * 1024,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 300, maxRetryTime: 10_000, retries: 5 },
  });
  const watch = watchConsumer(consumer, log, options.silenceSeconds ?? 150);
  try {
    await consumer.connect();
    // A group's first start takes what was sent before it.
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: partitionsAtOnce,
      eachBatch: (payload) => onBatch(receivedBatch(payload)),
    });
  } catch (error) {
    watch.end();
    consumer.disconnect().catch(() => undefined);
    throw error;
  }
  return {
    failed: watch.failed,
    close: async () => {
      watch.end();
      await consumer.disconnect();
    },
  };
}

/** kafkajs goes on after most errors by itself. It is at its end after some, and where it fell silent. */
function watchConsumer(consumer: KafkaJsConsumer, log: Logger, silenceSeconds: number) {
  let lastSign = Date.now();
  let timer: NodeJS.Timeout | undefined;
  const failed = new Promise<never>((_, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) reject(new Error('the Kafka consumer crashed', { cause: payload.error }));
    });
    timer = setInterval(() => {
      if (Date.now() - lastSign < silenceSeconds * 1_000) return;
      reject(new Error(`the Kafka consumer gave no sign of life for ${silenceSeconds} s`));
    }, 1_000);
  });
  // Whoever does not look at it is not brought down by it.
  failed.catch(() => undefined);
  const { HEARTBEAT, FETCH, GROUP_JOIN, CONNECT, CRASH, REQUEST, REQUEST_TIMEOUT } = consumer.events;
  for (const event of [HEARTBEAT, FETCH, GROUP_JOIN, CONNECT, CRASH, REQUEST, REQUEST_TIMEOUT]) {
    consumer.on(event, () => {
      lastSign = Date.now();
    });
  }
  consumer.on(GROUP_JOIN, ({ payload }) =>
    log.info({ groupId: payload.groupId, partitions: payload.memberAssignment }, 'joined the Kafka consumer group'),
  );
  return { failed, end: () => clearInterval(timer) };
}

function receivedBatch(payload: EachBatchPayload): ReceivedBatch {
  const { topic, partition, messages } = payload.batch;
  return {
    topic,
    partition,
    messages: messages.map(receivedMessage),
    resolve: (offset) => payload.resolveOffset(offset),
    heartbeat: () => payload.heartbeat(),
    goOn: () => payload.isRunning() && !payload.isStale(),
  };
}

function receivedMessage({ offset, key, value, headers = {}, timestamp }: KafkaMessage): ReceivedMessage {
  const message = { offset, key, value, sentAt: new Date(Number(timestamp)) };
  const undecodable = standInOf(headers);
  return undecodable ? { ...message, headers: {}, undecodable } : { ...message, headers };
}
