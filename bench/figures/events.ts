import { setTimeout as pause } from 'node:timers/promises';

import { topics } from '../../src/call/names';
import { limitOf, ours, type Book, type Measure, type Who } from '../book';
import type { Child } from '../children';
import type { Figure } from '../figure';
import { Service } from '../service';
import { quantile } from '../spread';
import type { Stage } from '../stage';
import { runLoad, watchCores } from '../systems';
import { emptyTopics } from '../topics';

const figure = 'events';
const perSecond = 100;
const lastOnesMilliseconds = 2_000;

const middle: Measure = { figure, what: `${perSecond} a second, p50`, unit: 'ms', better: 'less', target: 50 };
const slowest: Measure = { figure, what: `${perSecond} a second, p99`, unit: 'ms', better: 'less', target: 300 };

/** How long an event is on its way to those who read the topic. */
export const events: Figure = {
  name: figure,
  about: 'from an event’s time, within its transaction, until a consumer of calls.events has it',
  round: async (stage, book, round) => {
    const seconds = stage.quick ? 3 : 30;
    const brokers = stage.backing.environment['KAFKA_BROKERS'] ?? '';
    const service = await Service.open(stage);
    try {
      await service.start('api', 'bridge');
      const reader = await startReader(stage, topics.events);
      const send = { calls: { firstNumber: 0 } };
      await runLoad(stage, { origins: service.urls, connections: 8, send, seconds: 1, perSecond });
      await pause(lastOnesMilliseconds);
      await reader.ask({ kind: 'delays' }, stage.signal);
      const taken = watchCores(stage, service.pids);
      const later = { calls: { firstNumber: 100_000 } };
      await runLoad(stage, {
        origins: service.urls,
        connections: 8,
        send: later,
        count: perSecond * seconds,
        perSecond,
      });
      await write(stage, book, ours, reader);
      book.note(figure, round, ours, taken());
    } finally {
      await service.close();
      await emptyTopics(brokers, [topics.events]);
    }
    const reader = await startReader(stage, topics.deadLetters);
    await reader.ask({ kind: 'send', perSecond, seconds }, stage.signal);
    await write(stage, book, limitOf('Kafka alone'), reader);
    await emptyTopics(brokers, [topics.deadLetters]);
  },
};

function startReader(stage: Stage, topic: string): Promise<Child> {
  const env = { KAFKA_BROKERS: stage.backing.environment['KAFKA_BROKERS'] ?? '', TOPIC: topic };
  return stage.children.startReady({ name: 'event-reader', script: 'bench/event-reader.js', env });
}

async function write(stage: Stage, book: Book, who: Who, reader: Child): Promise<void> {
  await pause(lastOnesMilliseconds);
  const { delays } = await reader.ask<{ delays: number[] }>({ kind: 'delays' }, stage.signal);
  book.add(middle, who, quantile(delays, 0.5));
  book.add(slowest, who, quantile(delays, 0.99));
  await reader.stop();
}
