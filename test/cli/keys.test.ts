import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ApiKey } from '../../src/access/keys';
import { jsonLines, runCalls } from '../support/calls-command';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

jest.setTimeout(120_000);

let service: Service;
beforeAll(async () => {
  service = await Service.open({ API_KEYS: 'required' });
  await service.start('api');
});
afterAll(() => service.close());

const keys = (...args: string[]) => runCalls(['keys', ...args], { env: { DATABASE_URL: service.database.url } });
const as = (key: string, ...args: string[]) => runCalls(args, { env: { CALLS_URL: service.url, CALLS_API_KEY: key } });

test('a key is made and shown once, may do what it was made for, and is out soon after it was revoked', async () => {
  const made = await keys('create', '--name', 'dashboard', '--access', 'read');
  expect(made.code).toBe(0);
  const shape = /^(aco_([0-9a-f]{12})_([\w-]{43}))\n$/;
  expect(made.stdout).toMatch(shape);
  // The secret may hold "_" too.
  const [, text = '', id = '', secret] = shape.exec(made.stdout) ?? [];

  expect((await as(text, 'stats')).code).toBe(0);
  const forbidden = await as(text, 'create', '+966505000001', '--script', 'testScript');
  expect(forbidden).toMatchObject({ code: 4, stdout: '' });
  expect(forbidden.stderr).toContain('FORBIDDEN');

  const listed = await keys('list');
  expect(listed.stdout).toMatch(new RegExp(`^${id} +dashboard +read `, 'm'));
  expect(listed.stdout).not.toContain(secret);

  expect((await keys('revoke', id)).stdout).toMatch(new RegExp(`^${id} {2}revoked `));
  await waitUntil('it is out', async () => (await as(text, 'stats')).code === 4);
});

test('without a key, or with a wrong one, the exit code is 4 and the words say where the key goes', async () => {
  for (const key of ['', 'aco_000000000000_wrong']) {
    const { code, stderr } = await as(key, 'list');
    expect(code).toBe(4);
    expect(stderr).toContain('CALLS_API_KEY');
    expect(stderr).not.toContain('wrong');
  }
});

test('a key may come from a file; a file that is not there is wrong usage', async () => {
  const [made] = jsonLines<ApiKey & { key: string }>(
    await keys('create', '--name', 'from a file', '--access', 'write', '--rate-limit', '30', '--json'),
  );
  expect(made).toMatchObject({ name: 'from a file', access: 'write', rateLimitPerMinute: 30 });
  const folder = await mkdtemp(join(tmpdir(), 'calls-key-'));
  const CALLS_API_KEY_FILE = join(folder, 'key');
  const run = () => runCalls(['list'], { env: { CALLS_URL: service.url, CALLS_API_KEY_FILE } });
  expect((await run()).code).toBe(2);
  await writeFile(CALLS_API_KEY_FILE, `${made!.key}\n`);
  expect((await run()).code).toBe(0);
  await rm(folder, { recursive: true });
});

test.each([
  ['2 for an access that there is not', ['create', '--name', 'x', '--access', 'root'], 2],
  ['2 for a name that nobody can see', ['create', '--name', ' ', '--access', 'read'], 2],
  ['3 for a key that there is not', ['revoke', '000000000000'], 3],
])('exit code %s', async (_what, args, code) => {
  const outcome = await keys(...args);
  expect([outcome.code, outcome.stdout]).toEqual([code, '']);
  expect(outcome.stderr).not.toMatch(/^ +at /m);
});

test('exit code 5 where the database is away', async () => {
  const { code, stderr } = await runCalls(['keys', 'list'], { env: { DATABASE_URL: 'postgres://x@127.0.0.1:9/x' } });
  expect(code).toBe(5);
  expect(stderr).toContain('DATABASE_URL');
});
