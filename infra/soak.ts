import { parseArgs } from 'node:util';
import { InfraError } from './infra-error';
import { runCommand } from './run-command';
import { runTests } from './test-run';

/** `npm run soak -- --minutes 30 --seed 7`: random calls under random faults, and the account of them at the end. */
runCommand((stop, args) => {
  const { minutes, seed } = readOptions(args);
  process.env['SOAK_MINUTES'] = String(minutes);
  process.env['SOAK_SEED'] = String(seed);
  return runTests(stop, ['--testMatch', '**/test/soak/soak.ts', '--runInBand']);
});

function readOptions(args: string[]): { minutes: number; seed: number } {
  const options = { minutes: { type: 'string', default: '5' }, seed: { type: 'string' } } as const;
  const { values } = (() => {
    try {
      return parseArgs({ args, options });
    } catch (error) {
      throw new InfraError(`${error instanceof Error ? error.message : String(error)}. ${usage}`, { cause: error });
    }
  })();
  const minutes = Number(values.minutes);
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  if (!(minutes > 0) || !Number.isInteger(seed)) throw new InfraError(usage);
  return { minutes, seed };
}

const usage = 'Usage: npm run soak -- --minutes 30 [--seed 7]: a number of minutes, a whole number as seed.';
