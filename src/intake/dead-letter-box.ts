import { randomUUID } from 'node:crypto';

import type { Broker, MessageHeaders, OutgoingMessage, Producer, ReceivedMessage } from '../events/broker';
import { originHeader } from './request-message';

/** A refused message as it lies on the dead letter topic. */
export interface DeadLetter {
  /** `<topic>/<partition>/<offset>` of the letter. */
  place: string;
  key: Buffer | null;
  value: Buffer | null;
  /** Those that the message came with. */
  headers: MessageHeaders;
  code: string;
  reason: string;
  /** ISO time. */
  at: string;
  /** Where the message stood: `<topic>/<partition>/<offset>`. */
  from: string;
  /** The same, of the message as it first came: another where it was replayed since. */
  origin: string;
}

const oursPrefix = 'dlq.';

/**
 * Reads the letters that lie there now, oldest first within a partition, whatever was read before.
 *
 * @throws where `seconds` pass without a letter while some are still to come
 */
export async function* readDeadLetters(
  broker: Broker,
  topic: string,
  seconds = 30,
): AsyncGenerator<DeadLetter, void, undefined> {
  const admin = broker.admin();
  const groupId = `dead-letters-${randomUUID()}`;
  try {
    const ends = await admin.offsetsOf(topic);
    const left = new Map([...ends].filter(([, { from, end }]) => from < end).map(([at, { end }]) => [at, end]));
    if (left.size === 0) return;
    const arrived = new Arrivals<DeadLetter>(seconds);
    const consumer = await broker.startConsumer({
      groupId,
      topic,
      onBatch: async ({ partition, messages, resolve, heartbeat }) => {
        const end = left.get(partition);
        const wanted = messages.filter(({ offset }) => end !== undefined && BigInt(offset) < end);
        arrived.add(wanted.map((message) => letterOf(topic, partition, message)));
        const last = messages.at(-1);
        if (!last) return;
        if (end !== undefined && BigInt(last.offset) + 1n >= end) left.delete(partition);
        if (left.size === 0) arrived.end();
        resolve(last.offset);
        await heartbeat();
      },
    });
    consumer.failed.catch((error: unknown) => arrived.fail(error));
    try {
      yield* arrived;
    } finally {
      await consumer.close();
      await admin.deleteGroup(groupId);
    }
  } finally {
    await admin.close();
  }
}

/** What comes in batches, handed out one by one. */
class Arrivals<T> {
  private readonly items: T[] = [];
  private state: 'open' | 'ended' | { failure: unknown } = 'open';
  private wake: () => void = () => undefined;

  constructor(private readonly seconds: number) {}

  add(items: readonly T[]): void {
    this.items.push(...items);
    this.wake();
  }

  end(): void {
    this.state = 'ended';
    this.wake();
  }

  fail(failure: unknown): void {
    this.state = { failure };
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const item = this.items.shift();
      if (item !== undefined) yield item;
      else if (this.state === 'ended') return;
      else if (this.state !== 'open') throw this.state.failure;
      else await this.more();
    }
  }

  private more(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`nothing came from Kafka for ${this.seconds} s`));
      const timer = setTimeout(late, this.seconds * 1_000);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function letterOf(topic: string, partition: number, message: ReceivedMessage): DeadLetter {
  const ours = (name: string) => message.headers[`${oursPrefix}${name}`]?.toString() ?? '';
  const theirs = Object.entries(message.headers).filter(([name]) => !name.startsWith(oursPrefix));
  const from = `${ours('topic')}/${ours('partition')}/${ours('offset')}`;
  return {
    place: `${topic}/${partition}/${message.offset}`,
    key: message.key,
    value: message.value,
    headers: Object.fromEntries(theirs),
    code: ours('code'),
    reason: ours('reason'),
    at: ours('at'),
    from,
    origin: message.headers[originHeader]?.toString() ?? from,
  };
}

/** Whether the letter is what its sender sent: not so the bytes of a batch that could not be read, or a value left behind. */
export function canBeReplayed({ code, value }: DeadLetter): boolean {
  return code !== 'UNDECODABLE' && value !== null && value.length > 0;
}

/**
 * Sends letters to the requests again: key, value and headers as they came. Safe twice: however often one is sent, at most
 * one call comes of it. What is refused again lies there as a new letter.
 */
export async function replayDeadLetters(
  producer: Producer,
  requests: string,
  letters: readonly DeadLetter[],
): Promise<void> {
  const messages = letters.map(({ key, value, headers, origin }): OutgoingMessage => ({
    key,
    value,
    headers: { ...headers, [originHeader]: origin },
  }));
  await producer.send(requests, messages);
}
