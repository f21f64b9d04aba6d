import { setTimeout as pause } from 'node:timers/promises';

import { ours, type Measure } from '../book';
import { coresBetween, residentMegabytes } from '../cpu';
import type { Figure } from '../figure';
import { Service } from '../service';
import { quantile } from '../spread';
import { cpuOf, type Stage } from '../stage';
import { coresTold } from '../report';
import { postCalls } from '../systems';
import { endPaced, perSecond as endsPerSecond, untilOnTheLine } from './hand-over';
import type { Book } from '../book';

const figure = 'growth';
const slots = 30;
/**
 * About as fast as the embedded server starts them. By batches they would all be there at once, and be started for a quarter of an
 * hour without a `POST`: the first minute of those is slower after it, and they are measured next.
 */
const letWaitPerSecond = 80;
const toldEach = 10_000;
/** With fewer, the p99 would be the slowest one alone, and one pause of the machine the figure. */
const handOvers = { full: 200, quick: 10 };
/** Right after the last movement V8 marks and compacts its heaps, which takes the worker some hundredths of a core. */
const settleSeconds = { full: 90, quick: 3 };
const postsPerSecond = 50;
/** As above: one pause of a tenth of a second meets five of the posts. */
const postingSeconds = { full: 30, quick: 2 };
const cancelsAtOnce = 50;
const idleCores = 0.03;
const times = 1.3;

/** Whether what waits makes anything slower. It takes half an hour to let so many wait, so each level is measured in its turn. */
export const growth: Figure = {
  name: figure,
  about: 'hand-over, CPU while nothing moves, memory and POST p99 with more and more calls waiting',
  round: async (stage, book, round) => {
    // All its rounds are done in the first: the calls that wait are let wait once.
    if (round > 1) return;
    const levels = stage.quick ? [100, 300] : [100, 10_000, 100_000];
    // What is on the line stays there however long the others take to come: MAX_CALL_SECONDS would end it.
    const service = await Service.open(stage, { MAX_CALL_SECONDS: '604800' });
    try {
      await service.start('api', 'worker', 'bridge');
      for (const level of levels) {
        await letWait(stage, service, level);
        for (let measured = 1; measured <= stage.rounds; measured++)
          await measureAt(stage, service, book, level, measured);
      }
    } finally {
      await service.close();
    }
  },
};

let accepted = 0;

/** With calls on all slots, which stay there, and so many behind them, each with its workflow. */
async function letWait(stage: Stage, service: Service, level: number): Promise<void> {
  const startedAt = performance.now();
  const { slots: use } = await service.counts();
  const missing = level + slots - use.held - use.waiting;
  for (let left = missing; left > 0; left -= toldEach) {
    if (left < missing) stage.say(`growth: ${left.toLocaleString('en')} more to be posted`);
    await post(stage, service, Math.min(toldEach, left), letWaitPerSecond);
  }
  await untilOnTheLine(stage, slots);
  await service.until(`${level} waiting`, ({ slots: { waiting } }) => waiting >= level, 12 * 3_600);
  stage.say(
    `growth: ${level.toLocaleString('en')} waiting after ${Math.round((performance.now() - startedAt) / 1_000)} s`,
  );
}

/** Calls that a round before this one has posted are started for a while after, and then taken back. */
async function untilNothingMoves(stage: Stage, service: Service, level: number): Promise<void> {
  await service.until('each call that is PENDING waits', ({ PENDING, slots: { waiting } }) => waiting >= PENDING);
  await takeBack(service, level);
  const seconds = stage.quick ? settleSeconds.quick : settleSeconds.full;
  await pause(seconds * 1_000, undefined, { signal: stage.signal });
}

/** Cancels what waits beyond the level, the newest first: each round finds as many waiting as the one before. */
async function takeBack(service: Service, level: number): Promise<void> {
  const { slots: use } = await service.counts();
  for (let beyond = use.waiting - level; beyond > 0; beyond -= cancelsAtOnce) {
    const limit = Math.min(beyond, cancelsAtOnce);
    const { calls } = await service.ask<{ calls: { id: string }[] }>(`/calls?status=PENDING&limit=${limit}`);
    await Promise.all(calls.map(({ id }) => service.ask(`/calls/${id}/cancel`, { method: 'POST' })));
  }
  await service.until(`${level} waiting`, ({ slots: { waiting } }) => waiting <= level);
}

async function measureAt(stage: Stage, service: Service, book: Book, level: number, measured: number): Promise<void> {
  const first = level === 100;
  const write = (what: string, unit: string, value: number, target?: number): void => {
    const measure: Measure = {
      figure,
      what: `${what}, ${level.toLocaleString('en')} waiting`,
      unit,
      better: 'less',
      ...(target !== undefined && { target }),
      ...(!first && { within: { times, of: `${what}, 100 waiting` } }),
    };
    book.add(measure, ours, value);
  };
  await untilNothingMoves(stage, service, level);
  const idle = await idleFor(stage, service, stage.quick ? 5 : 30);
  const own = Object.keys(service.pids).reduce((sum, name) => sum + (idle[name] ?? 0), 0);
  write('our processes while nothing moves', 'cores', own, idleCores);
  book.note(figure, measured, ours, `${level} waiting, nothing moves: ${coresTold(idle)}`);
  write('memory of our processes', 'MB', memoryOf(service));
  const ended = await handOverAndPost(stage, service);
  write('hand-over p50', 'ms', quantile(ended, 0.5));
  write('hand-over p99', 'ms', quantile(ended, 0.99));
  write('POST /calls p99', 'ms', await slowestPost(stage, service));
}

async function idleFor(stage: Stage, service: Service, seconds: number): Promise<Record<string, number>> {
  const before = cpuOf(stage, service.pids);
  await pause(seconds * 1_000, undefined, { signal: stage.signal });
  return coresBetween(before, cpuOf(stage, service.pids), seconds);
}

function memoryOf({ pids }: Service): number {
  return Object.values(pids).reduce((sum, pid) => sum + residentMegabytes(pid), 0);
}

/** For each call that leaves the queue another comes. @returns milliseconds of each hand-over */
async function handOverAndPost(stage: Stage, service: Service): Promise<number[]> {
  const count = stage.quick ? handOvers.quick : handOvers.full;
  const [handedOver] = await Promise.all([endPaced(stage, count), post(stage, service, count, endsPerSecond)]);
  return handedOver;
}

async function slowestPost(stage: Stage, service: Service): Promise<number> {
  const seconds = stage.quick ? postingSeconds.quick : postingSeconds.full;
  return quantile(await post(stage, service, seconds * postsPerSecond, postsPerSecond), 0.99);
}

async function post(stage: Stage, service: Service, count: number, perSecond: number): Promise<number[]> {
  const calls = { firstNumber: accepted };
  accepted += count;
  return postCalls(stage, service, { calls, count, connections: 32, perSecond });
}
