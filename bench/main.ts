import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { say } from '../infra/progress';
import { runCommand } from '../infra/run-command';
import type { StopRequests } from '../infra/stop-requests';
import { bringUpBacking, type Backing } from './backing';
import { Book } from './book';
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
  const backing = await bringUpBacking(stop.signal);
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
  for (const figure of chosen) {
    await measureFigure(figure, stage, book, options.rounds);
    say(tableOf(book.lines.filter((line) => line.figure === figure.name)));
    for (const line of book.notesOf(figure.name)) say(line);
    // After each: a run of an hour that ends early has what it has.
    keep(backing, { startedAt: startedAt.toISOString(), options, machine }, book);
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

/**
 * bench/results/<date>.json, and the table and the pictures beside it; with several processes of each role under a name that
 * says so. A quick run proves nothing and leaves nothing there.
 */
function keep(
  { places }: Backing,
  about: { startedAt: string; options: BenchOptions; machine: object },
  book: Book,
): void {
  const { lines, notes } = book;
  const { processes } = about.options;
  const name = `${about.startedAt.slice(0, 10)}${processes === 1 ? '' : `-${processes}-processes`}`;
  const directory = about.options.quick
    ? join(places.checkout, '.data/bench-quick')
    : join(places.checkout, 'bench/results');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${name}.json`), `${JSON.stringify({ ...about, lines, notes }, null, 2)}\n`);
  writeFileSync(join(directory, `${name}.md`), `${markdownOf(lines)}\n`);
  for (const [figure, svg] of Object.entries(picturesOf(lines)))
    writeFileSync(join(directory, `${name}-${figure}.svg`), svg);
}
