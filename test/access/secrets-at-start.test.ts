import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { makeSecrets, type Secrets } from '../support/secrets';

// What stays away is waited for, for half a minute.
jest.setTimeout(120_000);

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
const secret = `hush${randomBytes(20).toString('hex')}`;
const file = join(folder, 'secret');
writeFileSync(file, `${secret}\n`);

let secrets: Secrets;
beforeAll(async () => {
  secrets = await makeSecrets();
});
afterAll(async () => {
  await secrets.close();
  rmSync(folder, { recursive: true });
});

/** @returns everything that a program wrote whose start fails */
async function failedStart(program: string, settings: Record<string, string>): Promise<string> {
  const started = run(process.execPath, [join(__dirname, '../../dist', program)], {
    env: { ...process.env, LOG_LEVEL: 'trace', LOG_PRETTY: '0', PORT: '0', ...secrets.settings, ...settings },
    // Where no .env lies.
    cwd: folder,
  });
  await expect(started).rejects.toMatchObject({ code: 1 });
  const { stdout, stderr } = await started.catch((error: unknown) => error as { stdout: string; stderr: string });
  return stdout + stderr;
}

test.each<[string, string, Record<string, string>, RegExp]>([
  [
    'a user whom PostgreSQL does not know',
    'src/start/api.js',
    { DATABASE_URL: 'postgres://nobody:SECRET@SERVER/postgres' },
    /PostgreSQL refuses us/,
  ],
  [
    'a database that is not there',
    'src/start/worker.js',
    { DATABASE_URL: 'postgres://USER:SECRET@SERVER/nothing' },
    /PostgreSQL refuses us/,
  ],
  [
    'no PostgreSQL for everything',
    'infra/start.js',
    { DATABASE_URL: 'postgres://nobody:SECRET@127.0.0.1:1/x' },
    /Nothing answers on 127.0.0.1:1/,
  ],
  ['a wrong URL', 'src/start/api.js', { DATABASE_URL: 'mysql://nobody:SECRET@SERVER/x' }, /DATABASE_URL must be/],
  ['half a URL', 'src/start/bridge.js', { REDIS_URL: 'redis//:SECRET@redis' }, /REDIS_URL must be/],
  [
    'a key of letters that may not be',
    'src/start/api.js',
    { ADMIN_API_KEY: 'SECRET with spaces' },
    /ADMIN_API_KEY must have/,
  ],
  ['payload keys that are none', 'src/start/worker.js', { PAYLOAD_KEYS: 'now:SECRET' }, /PAYLOAD_KEYS/],
  [
    'a secret by two ways',
    'mock-provider/main.js',
    { WEBHOOK_SECRET: 'SECRET', WEBHOOK_SECRET_FILE: file },
    /are both set/,
  ],
  [
    'a secret in place of a path',
    'src/start/api.js',
    { WEBHOOK_SECRET: '', WEBHOOK_SECRET_FILE: 'SECRET' },
    /cannot be read/,
  ],
  [
    'another secret by a file',
    'src/start/api.js',
    { DATABASE_URL: '', DATABASE_URL_FILE: file },
    /DATABASE_URL must be/,
  ],
])('%s ends %s with a line that tells no secret', async (_, program, given, line) => {
  const written = await failedStart(program, filledIn(given));
  expect(written).toMatch(line);
  expectNoSecret(written);
});

test('no PostgreSQL ends the API and the migrations, after a while, with a line that tells no secret', async () => {
  const away = { DATABASE_URL: `postgres://nobody:${secret}@127.0.0.1:1/x` };
  const starts = ['src/start/api.js', 'src/start/migrate.js'].map((program) => failedStart(program, away));
  for (const written of await Promise.all(starts)) {
    expect(written).toMatch(/PostgreSQL stays away/);
    expectNoSecret(written);
  }
});

function filledIn(settings: Record<string, string>): Record<string, string> {
  const { host, username } = new URL(secrets.settings['DATABASE_URL'] ?? '');
  const fill = (value: string) => value.replace('SECRET', secret).replace('SERVER', host).replace('USER', username);
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, fill(value)]));
}

function expectNoSecret(text: string): void {
  for (const word of [secret, ...secrets.words]) expect(text).not.toContain(word);
}
