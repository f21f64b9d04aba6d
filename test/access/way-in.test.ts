import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { createKey, revokeKey } from '../../src/access/keys';
import { isLoopback, warnOfKnownSecrets } from '../../src/access/way-in';
import { readConfig } from '../../src/config';
import { createLog } from '../../src/log';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { RoleProcess } from '../support/role-process';

// Starting a process takes seconds on a busy machine.
jest.setTimeout(60_000);

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const settings = (given: Record<string, string>) => ({
  DATABASE_URL: database.url,
  PORT: '0',
  LOG_PRETTY: '0',
  ...given,
});

/** @returns the messages of a start that ends, without those that only inform */
async function refusal(given: Record<string, string>): Promise<[number, string][]> {
  const ended = run('src/start/api.js', settings(given));
  await expect(ended).rejects.toMatchObject({ code: 1 });
  const { stdout } = await ended.catch((error: unknown) => error as { stdout: string });
  const lines = stdout.trim().split('\n');
  return lines
    .map((line) => JSON.parse(line) as { level: number; msg: string })
    .filter(({ level }) => level > 30)
    .map(({ level, msg }) => [level, msg]);
}

const run = (program: string, env: Record<string, string>) =>
  promisify(execFile)(process.execPath, [join(__dirname, '../../dist', program)], {
    env: { ...process.env, ...env },
    timeout: 40_000,
  });

/** @returns what it writes */
async function starts(given: Record<string, string>): Promise<string> {
  const started = await RoleProcess.start('api', settings(given));
  expect(await started.stop()).toBe(0);
  return started.output;
}

test.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1', 'localhost'])(
  '%s is reached from here alone',
  (host) => {
    expect(isLoopback(host)).toBe(true);
  },
);

test.each([
  '0.0.0.0',
  '::',
  '10.0.0.1',
  '::ffff:10.0.0.1',
  '128.0.0.1',
  'localhost.example.org',
  '127.0.0.1.nip.io',
  '',
])('%j may be reached by others', (host) => {
  expect(isLoopback(host)).toBe(false);
});

test.each(['0.0.0.0', '::'])('without keys the API does not start on %s, and says what to set', async (HOST) => {
  expect(await refusal({ HOST })).toEqual([
    [60, `HOST=${HOST} lets others reach the API, which asks for no key: set API_KEYS=required, or HOST=127.0.0.1.`],
  ]);
});

test('where others reach it, it does not start before somebody can have a key', async () => {
  const beyond = { HOST: '0.0.0.0', API_KEYS: 'required' };
  const needsKey = [[60, expect.stringMatching(/no key yet.*calls keys create.*ADMIN_API_KEY/)]];
  expect(await refusal(beyond)).toEqual(needsKey);
  const { key } = await createKey(database.db, { name: 'first', access: 'admin' });
  await starts(beyond);
  await revokeKey(database.db, key.id);
  expect(await refusal(beyond)).toEqual(needsKey);
  const withAdmin = { ...beyond, ADMIN_API_KEY: 'x'.repeat(32) };
  expect(await starts(withAdmin)).toContain('WEBHOOK_SECRET is the default, which anybody may know');
  expect(await starts({ ...withAdmin, WEBHOOK_SECRET: 'of our own' })).not.toContain('WEBHOOK_SECRET');
});

test('on loopback it starts with and without keys', async () => {
  await starts({});
  await starts({ API_KEYS: 'required' });
});

test('`npm start` refuses in the same words, before it starts anything', async () => {
  const start = run('infra/start.js', { HOST: '0.0.0.0', API_KEYS: 'off' });
  await expect(start).rejects.toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^HOST=0\.0\.0\.0 lets others reach the API[^\n]*\n$/) as unknown,
  });
});

test.each([
  ['127.0.0.1', {}, []],
  ['0.0.0.0', {}, ['WEBHOOK_SECRET', 'WEBHOOK_SIGNING_SECRETS']],
  ['0.0.0.0', { WEBHOOK_SECRET: 'of-our-own' }, ['WEBHOOK_SIGNING_SECRETS']],
  ['0.0.0.0', { WEBHOOK_SIGNING_SECRETS: `whsec_${Buffer.alloc(32, 1).toString('base64')}` }, ['WEBHOOK_SECRET']],
])('on %s with %o it warns of secrets that anybody may know: %s', (HOST, given, names) => {
  const log = createLog('test', 'silent');
  const warned = jest.spyOn(log, 'warn').mockImplementation(() => undefined);
  warnOfKnownSecrets(readConfig({ HOST, ...given }), log);
  expect(warned.mock.calls.map(([line]) => String(line).split(' ')[0])).toEqual(names);
});
