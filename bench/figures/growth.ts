import { setTimeout as pause } from 'node:timers/promises';

import { ours, type Book, type Measure } from '../book';
import { coresBetween, residentMegabytes } from '../cpu';
import type { Figure } from '../figure';
import { Service } from '../service';
import { quantile } from '../spread';
import { cpuOf, Stub, type Stage } from '../stage';
import { coresTold } from '../report';
import { postCalls } from '../systems';
import { endPaced, perSecond as endsPerSecond, untilOnTheLine } from './hand-over';

const figure = 'growth';
const slots = 30;
const base = 100;
/** About as fast as the embedded server starts them. By batches they would all be there at once, and be started without a `POST`. */
const letWaitPerSecond = 80;
const toldEach = 10_000;
/** With fewer, the p99 would be the slowest one alone, and one pause of the machine the figure. */
const handOvers = { full: 200, quick: 10 };
/** Right after the last movement V8 marks and compacts its heaps, which takes the worker some hundredths of a core. */
const settleSeconds = { full: 90, quick: 3 };
const idleSeconds = { full: 60, quick: 5 };
const postsPerSecond = 50;
/** As above: one pause of a tenth of a second meets five of the posts. */
const postingSeconds = { full: 30, quick: 2 };
/** The load generator compiles its code, and opens its connections, with the first ones. */
const postingWarmUpSeconds = 3;
const cancelsAtOnce = 50;
const idleCores = 0.03;
const times = 1.3;

/** The service with so many calls waiting, on backing services of its own. */
interface Level {
  waiting: number;
  stage: Stage;
  service: Service;
}

/** The fewest first. */
let levels: Level[] = [];

/**
 * Whether what waits makes anything slower. It takes half an hour to let so many wait, in which a machine's speed changes by a
 * third: so the levels run side by side, and each round measures one after the other.
 */
export const growth: Figure = {
  name: figure,
  about: 'hand-over, CPU while nothing moves, memory and POST p99 with more and more calls waiting',
  prepare: async (stage) => {
    // The most first: what is measured then has not stood idle meanwhile, the fewest least of all.
    const sizes = stage.quick ? [300, base] : [100_000, 10_000, base];
    for (const [index, waiting] of sizes.entries())
      levels = [await openLevel(index === 0 ? stage : await anotherStage(stage), waiting), ...levels];
    return async () => {
      await Promise.all(levels.map(({ service }) => service.close()));
    };
  },
  round: async (stage, book, round) => {
    await Promise.all(levels.map(untilNothingMoves));
    await pauseFor(stage, settleSeconds);
    for (const [level, cores] of await idleCoresOf(stage, levels)) {
      const own = Object.keys(level.service.pids).reduce((sum, name) => sum + (cores[name] ?? 0), 0);
      write(book, level, 'our processes while nothing moves', 'cores', own, idleCores);
      book.note(figure, round, ours, `${level.waiting} waiting, nothing moves: ${coresTold(cores)}`);
    }
    for (const level of levels) write(book, level, 'memory of our processes', 'MB', memoryOf(level.service));
    for (const level of startingWith(round - 1, levels)) {
      stage.say(`growth: hand-over and POST with ${level.waiting.toLocaleString('en')} waiting`);
      const ended = await handOverAndPost(level);
      write(book, level, 'hand-over p50', 'ms', quantile(ended, 0.5));
      write(book, level, 'hand-over p99', 'ms', quantile(ended, 0.99));
      const answered = await postPaced(level);
      write(book, level, 'POST /calls p99', 'ms', quantile(answered, 0.99));
      book.note(figure, round, ours, `${level.waiting} waiting, POST: ${told(answered)}`);
    }
  },
};

async function anotherStage(stage: Stage): Promise<Stage> {
  return { ...stage, backing: await stage.backing.another(), stub: await Stub.start(stage.children) };
}

async function openLevel(stage: Stage, waiting: number): Promise<Level> {
  // What is on the line stays there however long the others take to come: MAX_CALL_SECONDS would end it.
  const service = await Service.open(stage, { MAX_CALL_SECONDS: '604800' });
  const level = { waiting, stage, service };
  await service.start('api', 'worker', 'bridge');
  await letWait(level);
  return level;
}

let accepted = 0;

/** With calls on all slots, which stay there, and so many behind them, each with its workflow. */
async function letWait({ waiting: level, stage, service }: Level): Promise<void> {
  const startedAt = performance.now();
  for (let left = level + slots; left > 0; left -= toldEach) {
    if (left <= level) stage.say(`growth: ${left.toLocaleString('en')} more to be posted`);
    await post({ stage, service }, Math.min(toldEach, left), letWaitPerSecond);
  }
  await untilOnTheLine(stage, slots);
  await service.until(`${level} waiting`, ({ slots: { waiting } }) => waiting >= level, 12 * 3_600);
  stage.say(
    `growth: ${level.toLocaleString('en')} waiting after ${Math.round((performance.now() - startedAt) / 1_000)} s`,
  );
}

/** Calls that a round before this one has posted are started for a while after, and then taken back. */
async function untilNothingMoves({ waiting: level, service }: Level): Promise<void> {
  await service.until('each call that is PENDING waits', ({ PENDING, slots: { waiting } }) => waiting >= PENDING);
  const { slots: use } = await service.counts();
  // The newest first: each round finds as many waiting as the one before.
  for (let beyond = use.waiting - level; beyond > 0; beyond -= cancelsAtOnce) {
    const limit = Math.min(beyond, cancelsAtOnce);
    const { calls } = await service.ask<{ calls: { id: string }[] }>(`/calls?status=PENDING&limit=${limit}`);
    await Promise.all(calls.map(({ id }) => service.ask(`/calls/${id}/cancel`, { method: 'POST' })));
  }
  await service.until(`${level} waiting`, ({ slots: { waiting } }) => waiting <= level);
}

/** Of all at once: none of them moves. */
async function idleCoresOf(stage: Stage, all: readonly Level[]): Promise<[Level, Record<string, number>][]> {
  const taken = () => all.map((level) => cpuOf(level.stage, level.service.pids));
  const before = taken();
  const seconds = await pauseFor(stage, idleSeconds);
  const after = taken();
  return all.map((level, index) => [level, coresBetween(before[index] ?? {}, after[index] ?? {}, seconds)]);
}

async function pauseFor({ quick, signal }: Stage, lengths: { full: number; quick: number }): Promise<number> {
  const seconds = quick ? lengths.quick : lengths.full;
  await pause(seconds * 1_000, undefined, { signal });
  return seconds;
}

function memoryOf({ pids }: Service): number {
  return Object.values(pids).reduce((sum, pid) => sum + residentMegabytes(pid), 0);
}

/** None is always the first: what comes first finds the machine rested. */
function startingWith<Item>(turns: number, items: readonly Item[]): Item[] {
  const first = turns % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

/** For each call that leaves the queue another comes. @returns milliseconds of each hand-over */
async function handOverAndPost(level: Level): Promise<number[]> {
  const count = level.stage.quick ? handOvers.quick : handOvers.full;
  const [handedOver] = await Promise.all([endPaced(level.stage, count), post(level, count, endsPerSecond)]);
  return handedOver;
}

/** @returns milliseconds of each `POST` */
async function postPaced(level: Level): Promise<number[]> {
  const seconds = level.stage.quick ? postingSeconds.quick : postingSeconds.full;
  const latencies = await post(level, (postingWarmUpSeconds + seconds) * postsPerSecond, postsPerSecond);
  return latencies.slice(postingWarmUpSeconds * postsPerSecond);
}

function told(milliseconds: readonly number[]): string {
  const shares = [0.5, 0.9, 0.99, 1].map((share) => quantile(milliseconds, share).toFixed(1));
  return `p50/p90/p99/most ${shares.join('/')} ms`;
}

async function post(
  { stage, service }: Pick<Level, 'stage' | 'service'>,
  count: number,
  perSecond: number,
): Promise<number[]> {
  const calls = { firstNumber: accepted };
  accepted += count;
  return postCalls(stage, service, { calls, count, connections: 32, perSecond });
}

function write(book: Book, { waiting }: Level, what: string, unit: string, value: number, target?: number): void {
  const measure: Measure = {
    figure,
    what: whatWith(what, waiting),
    unit,
    better: 'less',
    ...(target !== undefined && { target }),
    ...(waiting !== base && { within: { times, of: whatWith(what, base) } }),
  };
  book.add(measure, ours, value);
}

function whatWith(what: string, waiting: number): string {
  return `${what}, ${waiting.toLocaleString('en')} waiting`;
}
