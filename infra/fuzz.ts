import { parseArgs } from 'node:util';
import { installFuzzer } from './fuzzer';
import { InfraError } from './infra-error';
import { placesFor } from './places';
import { runCommand } from './run-command';
import { runTests } from './test-run';

const usage =
  'Usage: npm run test:fuzz -- [--seed 7] [--examples 100]: whole numbers; so many requests of each kind for each operation.';

/** `npm run test:fuzz`: requests that Schemathesis makes from /openapi.json, against the whole service, with keys and without. */
runCommand(async (stop, args) => {
  const { seed, examples } = readOptions(args);
  process.env['FUZZ_SEED'] = String(seed);
  process.env['FUZZ_EXAMPLES'] = String(examples);
  process.env['FUZZER_PYTHON'] = await installFuzzer(placesFor(), stop.signal);
  return runTests(stop, ['--testMatch', '**/test/fuzz/fuzz.ts', '--runInBand']);
});

function readOptions(args: string[]): { seed: number; examples: number } {
  const options = { seed: { type: 'string' }, examples: { type: 'string', default: '50' } } as const;
  const { values } = (() => {
    try {
      return parseArgs({ args, options });
    } catch (error) {
      throw new InfraError(`${error instanceof Error ? error.message : String(error)}. ${usage}`, { cause: error });
    }
  })();
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  const examples = Number(values.examples);
  if (!Number.isInteger(seed) || !Number.isInteger(examples) || examples < 1) throw new InfraError(usage);
  return { seed, examples };
}
