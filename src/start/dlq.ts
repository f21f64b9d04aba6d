import { existsSync } from 'node:fs';

import { Command, CommanderError, InvalidArgumentError, Option } from '@commander-js/extra-typings';

import { topics } from '../call/names';
import { exitCodes } from '../cli/exit-codes';
import { shortTime } from '../cli/printable';
import type { Column } from '../cli/table';
import { Terminal } from '../cli/terminal';
import { ConfigError, readConfig } from '../config';
import type { Broker } from '../events/broker';
import { openKafka } from '../events/kafka';
import { canBeReplayed, readDeadLetters, replayDeadLetters, type DeadLetter } from '../intake/dead-letter-box';
import { createLog } from '../log';

interface Choice {
  code?: string | undefined;
  since?: Date | undefined;
}

const columns: Column<DeadLetter>[] = [
  { title: 'LETTER', value: ({ place }) => shortPlace(place) },
  { title: 'AT', value: ({ at }) => shortTime(at) },
  { title: 'CODE', value: ({ code }) => code },
  { title: 'FROM', value: ({ from }) => from, dropOrder: 1 },
  { title: 'REASON', value: ({ reason }) => reason, shrinkTo: 24 },
];

/** `npm run dlq`: what lies on the dead letter topic, and sending it again once what it was refused for is mended. */
function createProgram(terminal: Terminal, broker: () => Broker): Command {
  const program = new Command('dlq').description(`Looks at ${topics.deadLetters}, and sends letters again.`);
  program
    .command('list')
    .description('what lies there, by time; neither keys nor values, which may name people, unless --json')
    .addOption(codeOption())
    .addOption(sinceOption())
    .option('--json', 'one letter a line, with its key and value in base64')
    .action(async ({ json, ...choice }) => {
      const letters = await choose(broker(), choice);
      if (json) for (const letter of letters) await terminal.printJson(forPrograms(letter));
      else if (letters.length === 0) terminal.note('There are none.');
      else await terminal.printTable(columns, letters);
    });
  program
    .command('replay')
    .description(`send letters to ${topics.requests} again: a letter never makes two calls, however often it is sent`)
    .argument('[letters...]', 'partition/offset, as the list shows them')
    .option('--all', 'all that lie there')
    .option('--dry-run', 'only say which')
    .addOption(codeOption())
    .addOption(sinceOption())
    .action(async (places, { all, dryRun, ...choice }, command) => {
      if (places.length === 0 && all !== true && choice.code === undefined && choice.since === undefined) {
        command.error('Name letters, or choose them by --code, --since or --all.');
      }
      const found = await choose(broker(), choice);
      const chosen = found.filter(({ place }) => places.length === 0 || places.includes(shortPlace(place)));
      const missing = places.filter((place) => !chosen.some((letter) => shortPlace(letter.place) === place));
      const letters = chosen.filter(canBeReplayed);
      for (const { place, code } of chosen.filter((letter) => !letters.includes(letter))) {
        terminal.note(`${shortPlace(place)} is not what its sender sent (${code}): it cannot be sent again`);
      }
      for (const place of missing) terminal.note(`${place}: no such letter`);
      if (dryRun !== true) await send(broker(), letters);
      await terminal.print(`${dryRun === true ? 'to be sent' : 'sent'}: ${letters.length}`);
      if (letters.length < chosen.length || missing.length > 0) process.exitCode = exitCodes.refused;
    });
  for (const command of [program, ...program.commands]) command.exitOverride();
  return program;
}

const codeOption = () => new Option('--code <code>', 'only those that were refused for this, such as INVALID_REQUEST');

const sinceOption = () =>
  new Option('--since <time>', 'only those refused at this time or later, such as 2026-11-25T09:00:00Z').argParser(
    (text): Date => {
      const time = new Date(text);
      if (Number.isNaN(time.getTime())) throw new InvalidArgumentError('It is no time.');
      return time;
    },
  );

async function choose(broker: Broker, { code, since }: Choice): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for await (const letter of readDeadLetters(broker, topics.deadLetters)) {
    if (code !== undefined && letter.code !== code) continue;
    if (since !== undefined && !(new Date(letter.at) >= since)) continue;
    letters.push(letter);
  }
  return letters.sort((a, b) => a.at.localeCompare(b.at));
}

async function send(broker: Broker, letters: readonly DeadLetter[]): Promise<void> {
  const producer = broker.producer();
  try {
    await replayDeadLetters(producer, topics.requests, letters);
  } finally {
    await producer.close();
  }
}

/** `<partition>/<offset>`: there is but one topic. */
function shortPlace(place: string): string {
  return place.slice(place.indexOf('/') + 1);
}

function forPrograms({ key, value, headers, place, ...letter }: DeadLetter): object {
  return {
    letter: shortPlace(place),
    ...letter,
    key: key?.toString('base64') ?? null,
    value: value?.toString('base64') ?? null,
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)])),
  };
}

async function main(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const terminal = new Terminal(process.stdout, process.stderr, process.env);
  try {
    const config = readConfig(process.env);
    const broker = () => openKafka(config, createLog('dlq', config.LOG_LEVEL === 'debug' ? 'debug' : 'fatal'));
    await createProgram(terminal, broker).parseAsync(process.argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has said it already; asking for help is no mistake.
      process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    terminal.note(error instanceof ConfigError ? message : `Kafka (KAFKA_BROKERS): ${message}`);
    process.exitCode = error instanceof ConfigError ? exitCodes.usage : exitCodes.serviceAway;
  }
}

void main();
