import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import packageJson from '../../package.json';
import { checkout, fencedBlocks, readDocument } from '../docs/documents';

const run = promisify(execFile);
let consumer: string;
let packed: string[];

/** A project of somebody else's, with our package installed as `npm pack` makes it, and what that depends on. */
beforeAll(async () => {
  consumer = await mkdtemp(join(tmpdir(), 'consumer-'));
  const { stdout } = await run('npm', ['pack', '--json', '--silent', '--pack-destination', consumer], {
    cwd: checkout,
  });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  packed = files.map(({ path }) => path);
  const home = join(consumer, 'node_modules', packageJson.name);
  await mkdir(home, { recursive: true });
  await run('tar', ['-xzf', join(consumer, filename), '--strip-components=1', '-C', home]);
  for (const name of [...Object.keys(packageJson.dependencies), '@types/node']) {
    const target = join(consumer, 'node_modules', name);
    await mkdir(dirname(target), { recursive: true });
    await symlink(join(checkout, 'node_modules', name), target);
  }
  await writeFile(join(consumer, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }');
}, 120_000);
afterAll(() => rm(consumer, { recursive: true, force: true }));

async function compile(program: string): Promise<string> {
  await writeFile(join(consumer, 'program.ts'), program);
  const compiler = join(checkout, 'node_modules/typescript/bin/tsc');
  const options = ['--strict', '--exactOptionalPropertyTypes', '--module', 'nodenext', '--target', 'es2023'];
  return run(process.execPath, [compiler, ...options, '--types', 'node', '--skipLibCheck', 'program.ts'], {
    cwd: consumer,
  }).then(
    () => '',
    (error: unknown) => (error as { stdout: string }).stdout,
  );
}

const program = `
import { CallsApiError, CallsClient, verifyWebhook, type Call, type CallStatus } from 'call-orchestrator/client';

const client = new CallsClient({ baseUrl: 'http://127.0.0.1:3000', apiKey: process.env['CALLS_API_KEY'] });

export async function remind(to: string): Promise<CallStatus> {
  try {
    const call: Call = await client.create({ to, scriptId: 'reminder', metadata: { order: 7, tags: ['a'] }, priority: 1 });
    const ended = await client.waitUntilFinal(call.id, { timeoutSeconds: 600 });
    const lastError: string | null = ended.lastError;
    if (lastError !== null) console.log(lastError);
    return ended.status;
  } catch (error) {
    if (error instanceof CallsApiError && error.code === 'NUMBER_BUSY') console.log(error.problem?.activeCallId);
    throw error;
  }
}

export async function failed(): Promise<string[]> {
  const numbers: string[] = [];
  for await (const { payload } of client.listAll({ status: ['FAILED', 'EXPIRED'], createdAfter: new Date(0) })) {
    numbers.push(payload.to);
  }
  return numbers;
}

export const typeOf = (body: string, headers: Headers) => verifyWebhook(body, headers, 'whsec_c2VjcmV0').type;
`;

test('a program of strict types compiles against the package', async () => {
  expect(await compile(program)).toBe('');
});

test('the examples of docs/client.md compile', async () => {
  for (const example of fencedBlocks(readDocument('docs/client.md'), 'ts')) expect(await compile(example)).toBe('');
});

test('what is wrong by the schemas does not compile', async () => {
  const wrong: [line: string, named: string][] = [
    [`client.create({ to: '+1', scriptId: 's', status: 'PENDING' });`, 'status'],
    [`client.create({ to: '+1' });`, 'scriptId'],
    [`client.list({ status: 'DONE' });`, 'DONE'],
    [`void client.get('x').then((call) => call.number);`, 'number'],
    [`void ((e: CallsApiError) => e.code === 'BUSY');`, 'BUSY'],
  ];
  const errors = await compile(program + wrong.map(([line]) => line).join('\n'));
  const first = program.split('\n').length;
  for (const [index, [, named]] of wrong.entries()) {
    expect(errors).toMatch(new RegExp(`^program\\.ts\\(${first + index},\\d+\\): error .*${named}`, 'm'));
  }
});

test.each([
  ['required', ['--input-type=commonjs', '-e', `console.log(typeof require('call-orchestrator/client').CallsClient)`]],
  [
    'imported',
    [
      '--input-type=module',
      '-e',
      `import { CallsClient } from 'call-orchestrator/client'; console.log(typeof CallsClient)`,
    ],
  ],
])('the client can be %s, and loads nothing of the service', async (_how, args) => {
  const { stdout } = await run(process.execPath, args, { cwd: consumer });
  expect(stdout).toBe('function\n');
  const { stdout: loaded } = await run(
    process.execPath,
    [
      '--input-type=commonjs',
      '-e',
      `require('call-orchestrator/client'); console.log(Object.keys(require.cache).join('\\n'))`,
    ],
    { cwd: consumer },
  );
  const ours = loaded.split('\n').filter((file) => file.includes('/dist/src/'));
  const rooms = new Set(ours.map((file) => /\/dist\/src\/(\w+)\//.exec(file)?.[1]));
  expect([...rooms].sort()).toEqual(['call', 'client']);
  expect(loaded).not.toMatch(/node_modules\/(zod|hono|pg|@temporalio)\//);
});

test('the package holds what runs, and nothing of tests, settings or data', async () => {
  const manifest = JSON.parse(
    await readFile(join(consumer, 'node_modules/call-orchestrator/package.json'), 'utf8'),
  ) as typeof packageJson;
  const named = [manifest.bin.calls, manifest.exports['./client'].types, manifest.exports['./client'].default];
  expect(packed).toEqual(expect.arrayContaining(named.map((path) => path.replace(/^\.\//, ''))));
  expect(packed).toEqual(expect.arrayContaining(['dist/src/start/api.js', 'dist/src/slots/acquire.lua']));
  expect(packed.filter((path) => /^(test|src|\.data|node_modules)\/|^\.env$|\.tsbuildinfo$/.test(path))).toEqual([]);
});

test('the command that the package installs runs', async () => {
  const command = join(consumer, 'node_modules/call-orchestrator', packageJson.bin.calls);
  const { stdout } = await run(process.execPath, [command, '--version'], { cwd: consumer });
  expect(stdout).toBe(`${packageJson.version}\n`);
  expect(await readFile(command, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
});
