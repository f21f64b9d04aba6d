import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { say } from '../infra/progress';
import { runCommand } from '../infra/run-command';
import type { StopRequests } from '../infra/stop-requests';
import { Backing } from './backing';
import { Book, type KeptBook } from './book';
import { Children } from './children';
import type { Figure } from './figure';
import { figures } from './figures';
import { describeMachine } from './machine';
import { readOptions, type BenchOptions } from './options';
import { picturesOf } from './pictures';
import { markdownOf, tableOf } from './report';
import { Stub, type Stage } from './stage';

/** `npm run bench`: measures the service on this machine, beside what a user would take instead. */
runCommand(async (stop, args) => {
  const options = readOptions(
    args,
    figures.map(({ name }) => name),
  );
  say('Bringing up the backing services ...');
  const backing = await Backing.bringUp(stop.signal);
  const children = new Children(backing.places.logs, stop.signal);
  stop.onForce(() => {
    children.killAll();
    backing.kill();
  });
  try {
    await measure(options, backing, children, stop);
    return 0;
  } finally {
    await children.stopAll();
    await backing.down();
  }
});

async function measure(
  options: BenchOptions,
  backing: Backing,
  children: Children,
  { signal }: StopRequests,
): Promise<void> {
  const machine = describeMachine(backing.places.data);
  const stub = await Stub.start(children);
  const stage: Stage = { backing, children, signal, stub, ...options, say };
  const book = new Book();
  const chosen = figures.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  const startedAt = new Date();
  const about = { startedAt: startedAt.toISOString(), options, machine };
  const place = placeOfResults(backing, about);
  if (!options.quick) {
    book.goOnFrom(
      readResults(place),
      chosen.map(({ name }) => name),
    );
  }
  for (const figure of chosen) {
    try {
      await measureFigure(figure, stage, book, options.rounds);
    } finally {
      say(tableOf(book.lines.filter((line) => line.figure === figure.name)));
      for (const line of book.notesOf(figure.name)) say(line);
      // After each, and of one that was cut off: a run of an hour that ends early has what it has.
      keep(place, about, book);
    }
  }
  if (chosen.length > 1) say(`\n${tableOf(book.lines)}`);
}

async function measureFigure(figure: Figure, stage: Stage, book: Book, rounds: number): Promise<void> {
  say(`\n${figure.name}: ${figure.about}`);
  const end = await figure.prepare?.(stage);
  try {
    for (let round = 1; round <= rounds; round++) {
      say(`${figure.name}: round ${round} of ${rounds}`);
      await figure.round(stage, book, round);
    }
  } finally {
    await end?.();
  }
}

interface About {
  startedAt: string;
  options: BenchOptions;
  machine: object;
}

/**
 * bench/results/<date>, for the table, its values and the pictures; with several processes of each role under a name that
 * says so. A quick run proves nothing and leaves nothing there.
 */
function placeOfResults({ places }: Backing, { startedAt, options }: About): string {
  const directory = join(places.checkout, options.quick ? '.data/bench-quick' : 'bench/results');
  mkdirSync(directory, { recursive: true });
  const { processes } = options;
  return join(directory, `${startedAt.slice(0, 10)}${processes === 1 ? '' : `-${processes}-processes`}`);
}

/** What was measured on the same day before: figures that are not measured again stand. */
function readResults(place: string): KeptBook | undefined {
  if (!existsSync(`${place}.json`)) return undefined;
  return JSON.parse(readFileSync(`${place}.json`, 'utf8')) as KeptBook;
}

function keep(place: string, about: About, { lines, notes }: Book): void {
  writeFileSync(`${place}.json`, `${JSON.stringify({ ...about, lines, notes }, null, 2)}\n`);
  writeFileSync(`${place}.md`, `${markdownOf(lines)}\n`);
  for (const [figure, svg] of Object.entries(picturesOf(lines))) writeFileSync(`${place}-${figure}.svg`, svg);
}
