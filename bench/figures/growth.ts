import { ours, type Book, type Measure } from '../book';
import { residentMegabytes } from '../cpu';
import type { Figure } from '../figure';
import { atRest, openLevel, ownShare, post, type Level } from '../level';
import { coresTold } from '../report';
import type { Service } from '../service';
import { quantile } from '../spread';
import { Stub, type Stage } from '../stage';
import { endPaced, perSecond as endsPerSecond } from './hand-over';

const figure = 'growth';
const base = 100;
/** With fewer, the p99 would be the slowest one alone, and one pause of the machine the figure. */
const handOvers = { full: 200, quick: 10 };
const postsPerSecond = 50;
/** As above: one pause of a tenth of a second meets five of the posts. */
const postingSeconds = { full: 30, quick: 2 };
/** The load generator compiles its code, and opens its connections, with the first ones. */
const postingWarmUpSeconds = 3;
const times = 1.3;

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
    const rest = await atRest(stage, levels);
    for (const [index, level] of levels.entries()) {
      const cores = rest[index] ?? {};
      write(book, level, 'our processes while nothing moves', 'cores', ownShare(level, cores));
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

function write(book: Book, { waiting }: Level, what: string, unit: string, value: number): void {
  const measure: Measure = {
    figure,
    what: whatWith(what, waiting),
    unit,
    better: 'less',
    ...(waiting !== base && { within: { times, of: whatWith(what, base) } }),
  };
  book.add(measure, ours, value);
}

function whatWith(what: string, waiting: number): string {
  return `${what}, ${waiting.toLocaleString('en')} waiting`;
}
