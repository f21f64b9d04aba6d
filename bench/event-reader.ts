import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

import { Kafka, logLevel } from 'kafkajs';

import { endWithBench, now, onQuestion, tellReady } from './program';

/** Reads a topic as a client of ours would, and notes how long each message was on its way. */
const brokers = (process.env['KAFKA_BROKERS'] ?? '').split(',');
const topic = process.env['TOPIC'] ?? '';
const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `bench-${randomBytes(6).toString('hex')}`, maxWaitTimeInMs: 1_000 });
/** Milliseconds since the `at` in the message. */
const delays: number[] = [];

async function read(): Promise<void> {
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: false });
  const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()));
  await consumer.run({
    // A commit after each partition's batch, waited for, would be measured as the way of whatever comes meanwhile.
    autoCommit: false,
    eachMessage: ({ message }) => {
      const { at } = JSON.parse(message.value?.toString() ?? '') as { at: string };
      delays.push(now() - Date.parse(at));
      return Promise.resolve();
    },
  });
  await joined;
  // Where it begins is settled with its first fetch.
  await pause(1_000);
}

/** The same without us: messages that are sent as often, each by itself. */
async function sendPaced({ perSecond, seconds }: { perSecond: number; seconds: number }): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  const underWay: Promise<unknown>[] = [];
  const startedAt = now();
  for (let sent = 0; sent < perSecond * seconds; sent++) {
    const due = startedAt + (sent / perSecond) * 1_000;
    if (due > now()) await pause(due - now());
    const value = JSON.stringify({ at: new Date().toISOString() });
    underWay.push(producer.send({ topic, messages: [{ key: String(sent), value }] }));
  }
  await Promise.all(underWay);
  await pause(1_000);
  await producer.disconnect();
}

onQuestion('delays', () => ({ delays: delays.splice(0) }));
onQuestion<{ kind: 'send'; perSecond: number; seconds: number }>('send', sendPaced);
endWithBench(() => consumer.disconnect());
void read().then(tellReady);
