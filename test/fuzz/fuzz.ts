import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { Service } from '../support/service';

const seed = Number(process.env['FUZZ_SEED'] ?? '1');
const examplesEach = Number(process.env['FUZZ_EXAMPLES'] ?? '50');
const secret = 'the-secret-that-the-provider-signs-with';
const adminKey = 'the-key-of-the-administrator-of-this-run';

jest.setTimeout(60 * 60_000);

interface Way {
  settings: Record<string, string>;
  /** What every request carries. */
  options: string[];
}
const ways: Record<string, Way> = {
  'without keys': { settings: {}, options: [] },
  'with keys': {
    settings: { API_KEYS: 'required', ADMIN_API_KEY: adminKey, RATE_LIMIT_PER_MINUTE: '0' },
    options: ['--header', `Authorization: Bearer ${adminKey}`],
  },
};

describe.each(Object.entries(ways))('%s', (_, { settings, options }) => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.open({ MOCK_SEED: '1', WEBHOOK_SECRET: secret, ...settings });
    await service.start('api', 'worker', 'provider');
  });
  afterAll(() => service.close());

  test(`whatever is sent, each answer is one that /openapi.json describes, and none a 5xx (seed ${seed})`, async () => {
    expect(await fuzz(service.url, options)).toBe(0);
    expect(service.output('api')).not.toContain('"unforeseen error"');
    expect(service.processes.filter(({ endedByItself }) => endedByItself)).toEqual([]);
  });
});

/** @returns the exit code of Schemathesis, 0 where it found nothing */
async function fuzz(url: string, options: string[]): Promise<number | null> {
  const python = process.env['FUZZER_PYTHON'];
  if (python === undefined) throw new Error('Run `npm run test:fuzz`, which installs the fuzzer.');
  const run = [
    '-m',
    'schemathesis.cli',
    '--config-file',
    join(__dirname, 'schemathesis.toml'),
    'run',
    `${url}/openapi.json`,
  ];
  // An answer without an end is nothing that Schemathesis could wait for: streams have tests of their own.
  const asked = ['--exclude-path-regex', '/stream$'];
  const drawn = [`--seed=${seed}`, `--max-examples=${examplesEach}`, '--no-color'];
  const child = spawn(python, [...run, ...asked, ...drawn, ...options], {
    // Where its notes for repeating a request are thrown away with the rest of the run.
    cwd: process.env['DATA_DIR'],
    env: {
      ...process.env,
      SCHEMATHESIS_HOOKS: 'hooks',
      PYTHONPATH: __dirname,
      PYTHONDONTWRITEBYTECODE: '1',
      WEBHOOK_SECRET: secret,
    },
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}
