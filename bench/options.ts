import { parseArgs } from 'node:util';

import { InfraError } from '../infra/infra-error';

export interface BenchOptions {
  /** Names of figures; empty for all. */
  only: string[];
  rounds: number;
  quick: boolean;
  /** Of each role. */
  processes: number;
}

const roundsByDefault = 3;

/** @param names of the figures that there are */
export function readOptions(args: string[], names: readonly string[]): BenchOptions {
  const usage = `Usage: npm run bench -- [--only ${names.join(',')}] [--rounds ${roundsByDefault}] [--processes 1] [--quick]`;
  const options = {
    only: { type: 'string' },
    rounds: { type: 'string' },
    processes: { type: 'string' },
    quick: { type: 'boolean' },
  } as const;
  const { values } = (() => {
    try {
      return parseArgs({ args, options });
    } catch (error) {
      throw new InfraError(`${error instanceof Error ? error.message : String(error)}. ${usage}`, { cause: error });
    }
  })();
  const quick = values.quick === true;
  const only = values.only === undefined ? [] : values.only.split(',').map((name) => name.trim());
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new InfraError(`${unknown} is no figure. ${usage}`);
  const rounds = Number(values.rounds ?? (quick ? 1 : roundsByDefault));
  const processes = Number(values.processes ?? 1);
  for (const [name, count] of Object.entries({ rounds, processes })) {
    if (!Number.isInteger(count) || count < 1) throw new InfraError(`--${name} is a whole number from 1. ${usage}`);
  }
  return { only, rounds, quick, processes };
}
