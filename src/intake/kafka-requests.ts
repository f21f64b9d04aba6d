import { setTimeout as pause } from 'node:timers/promises';

import { Histogram } from 'prom-client';

import { backoffSeconds } from '../call/backoff';
import { topics as ourTopics } from '../call/names';
import { requestSchemas, type RequestPolicy } from '../call/request';
import type { Config } from '../config';
import { topicKeyOf, type KeySettings } from '../encryption/topic-key';
import type { Broker, Consumer, Producer, ReceivedBatch, ReceivedMessage } from '../events/broker';
import type { Logger } from '../log';
import { registry, secondsSince, waitBuckets } from '../metrics';
import { findCalledSources } from '../store/accepted-calls';
import { acceptMessages, type AcceptMessagesDeps } from './accept-messages';
import { sendDeadLetters } from './dead-letters';
import { readRequestMessage, sourceOf, type RefusedMessage, type RequestMessage } from './request-message';

export interface KafkaRequestsDeps extends AcceptMessagesDeps {
  config: RequestPolicy & Pick<Config, 'MAX_ATTEMPTS' | 'DEFAULT_EXPIRY_SECONDS' | 'KAFKA_GROUP_ID'> & KeySettings;
  broker: Broker;
  log: Logger;
  /** Other names than the contract's: for tests that share brokers. */
  topics?: { requests: string; deadLetters: string };
}

const messagesPerStatement = 500;
const heartbeatSeconds = 2;
const patience = { initialSeconds: 0.25, backoff: 2, maxSeconds: 5 };

const lagSeconds = new Histogram({
  name: 'orchestrator_kafka_intake_lag_seconds',
  help: 'From when a request was sent to Kafka until its call, or its refusal, was durable',
  buckets: waitBuckets,
  registers: [registry],
});

/**
 * The door for calls requested over Kafka. A message's offset is committed only after its call is durable, or its
 * rejection is told, or it is on the dead letter topic: none is ever skipped, whatever is away.
 */
export async function startKafkaRequests(deps: KafkaRequestsDeps): Promise<Consumer> {
  const { requests, deadLetters } = deps.topics ?? ourTopics;
  const producer = deps.broker.producer();
  const intake = new RequestIntake(deps, producer, deadLetters);
  const consumer = await deps.broker.startConsumer({
    groupId: deps.config.KAFKA_GROUP_ID,
    topic: requests,
    onBatch: (batch) => intake.takeIn(batch),
  });
  return {
    failed: consumer.failed,
    close: async () => {
      await consumer.close();
      await producer.close();
    },
  };
}

class RequestIntake {
  private readonly schema;
  private readonly topicKey;

  constructor(
    private readonly deps: KafkaRequestsDeps,
    private readonly producer: Producer,
    private readonly deadLetterTopic: string,
  ) {
    this.schema = requestSchemas(deps.config).message;
    this.topicKey = topicKeyOf(deps.config);
  }

  /** @throws only what a heartbeat throws: the group is rebalancing, and what is not resolved is delivered again */
  async takeIn(batch: ReceivedBatch): Promise<void> {
    for (let at = 0; at < batch.messages.length; at += messagesPerStatement) {
      const slice = batch.messages.slice(at, at + messagesPerStatement);
      const last = slice.at(-1);
      if (!last || !(await this.takeInSlice(batch, slice))) return;
      for (const { sentAt } of slice) lagSeconds.observe(secondsSince(sentAt));
      batch.resolve(last.offset);
      await batch.heartbeat();
    }
  }

  /** @returns false where it was left undone because the consumer is closing */
  private async takeInSlice(batch: ReceivedBatch, slice: readonly ReceivedMessage[]): Promise<boolean> {
    const valid: RequestMessage[] = [];
    const refused: RefusedMessage[] = [];
    for (const message of slice) {
      const read = readRequestMessage(message, placeOf(batch, message), this.schema);
      if ('incoming' in read) valid.push(read);
      else refused.push(read);
    }
    const stillRefused = await this.untilDone(batch, () => this.withoutCalls(batch, refused));
    if (!stillRefused || !(await this.deadLetter(batch, stillRefused))) return false;
    const undecided = await this.untilDone(batch, (attempt) => acceptMessages(this.deps, valid, attempt));
    return undecided !== undefined && this.deadLetter(batch, undecided);
  }

  /** A message delivered again may be refused by now, its `expiresAt` having passed, and have its call since. */
  private async withoutCalls(batch: ReceivedBatch, refused: readonly RefusedMessage[]): Promise<RefusedMessage[]> {
    const called = await findCalledSources(
      this.deps.db,
      refused.map(({ message }) => sourceOf(message, placeOf(batch, message))),
    );
    return refused.filter(({ message }) => !called.has(sourceOf(message, placeOf(batch, message))));
  }

  private async deadLetter(batch: ReceivedBatch, refused: readonly RefusedMessage[]): Promise<boolean> {
    if (refused.length === 0) return true;
    const sent = await this.untilDone(batch, async () => {
      const { producer, deadLetterTopic: topic, topicKey } = this;
      await sendDeadLetters({ producer, topic, topicKey }, batch, refused);
      return true;
    });
    if (!sent) return false;
    for (const { message, code } of refused) {
      // Why exactly is with the letter: it may quote what its sender wrote.
      this.deps.log.warn({ source: placeOf(batch, message), code }, 'refused a message: it is a dead letter');
    }
    return true;
  }

  /**
   * Tries until it is done, staying in the group meanwhile: nothing behind these messages can be done either, and they
   * must not be skipped.
   *
   * @returns undefined where it was left undone because the consumer is closing
   */
  private async untilDone<Result>(
    batch: ReceivedBatch,
    work: (attempt: number) => Promise<Result>,
  ): Promise<Result | undefined> {
    const { log } = this.deps;
    const where = { topic: batch.topic, partition: batch.partition };
    for (let attempt = 0; batch.goOn(); attempt++) {
      try {
        const result = await withHeartbeats(batch, () => work(attempt));
        if (attempt > 0) log.info({ ...where, tries: attempt + 1 }, 'requests from Kafka go on');
        return result;
      } catch (error) {
        const line = 'requests from Kafka wait: trying again until it works';
        log[attempt === 0 ? 'error' : 'debug']({ ...where, err: error }, line);
      }
      await batch.heartbeat();
      await pause(Math.min(backoffSeconds(patience, attempt + 1), patience.maxSeconds) * 1_000);
    }
    return undefined;
  }
}

function placeOf({ topic, partition }: ReceivedBatch, { offset }: ReceivedMessage): string {
  return `${topic}/${partition}/${offset}`;
}

/** A statement on a database that hangs takes longer than the group waits for a member to speak. */
async function withHeartbeats<Result>(batch: ReceivedBatch, work: () => Promise<Result>): Promise<Result> {
  const timer = setInterval(() => {
    // What it throws comes again from the next heartbeat that is waited for.
    batch.heartbeat().catch(() => undefined);
  }, heartbeatSeconds * 1_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
