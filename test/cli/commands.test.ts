import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Call, Control, Problem, Stats } from '../../src/client';
import { jsonLines, runCalls, startCalls, type Outcome } from '../support/calls-command';
import { Service } from '../support/service';

jest.setTimeout(180_000);

let service: Service;
beforeAll(async () => {
  // Without a worker: every call stays PENDING until it is told otherwise.
  service = await Service.open();
  await service.start('api');
});
afterAll(() => service.close());

const calls = (...args: string[]): Promise<Outcome> => runCalls(args, { env: { CALLS_URL: service.url } });

let numbers = 0;
const freshNumber = () => `+96650${String(3_000_000 + numbers++)}`;
async function pendingCall(): Promise<Call> {
  const to = freshNumber();
  const [call] = jsonLines<Call>(await calls('create', to, '--script', 'testScript', '--json'));
  return call!;
}

describe('calls create', () => {
  test('requests a call with everything that was given, and shows it', async () => {
    const to = freshNumber();
    const { code, stdout, stderr } = await calls(
      ...['create', to, '--script', 'testScript', '--priority', '2', '--expires-in', '1h'],
      ...['--metadata', 'order=7', '-m', 'name=Zoë', '--metadata-json', '{"vip":true}'],
    );
    expect([code, stderr]).toEqual([0, '']);
    const id = /^id +(\S+)$/m.exec(stdout)?.[1] ?? '';
    const call = await service.call(id);
    expect(call).toMatchObject({
      payload: { to, scriptId: 'testScript', metadata: { order: '7', name: 'Zoë', vip: true } },
      priority: 2,
    });
    expect(Date.parse(call.expiresAt) - Date.parse(call.createdAt)).toBeLessThanOrEqual(3_600_000);
    expect(stdout).toMatch(new RegExp(`^to +\\${to}$`, 'm'));
  });

  test('with the same --key makes one call', async () => {
    const to = freshNumber();
    const run = () => calls('create', to, '--script', 'testScript', '--key', `order-${to}`, '--json');
    const [first, second] = [await run(), await run()];
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(jsonLines<Call>(second)[0]?.id).toBe(jsonLines<Call>(first)[0]?.id);
  });

  test('refused, it names each bad field and exits 1', async () => {
    const { code, stdout, stderr } = await calls('create', '911', '--script', 'x'.repeat(129));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^calls: .*\(INVALID_REQUEST\)$/m);
    expect(stderr).toMatch(/^ {2}to: /m);
    expect(stderr).toMatch(/^ {2}scriptId: must have at most 128 characters$/m);
  });

  test('where the number is busy, it names the call that has it; with --json the problem as the service tells it', async () => {
    const active = await pendingCall();
    const args = ['create', active.payload.to, '--script', 'testScript'];
    const { code, stderr } = await calls(...args);
    expect(code).toBe(1);
    expect(stderr).toContain(`The call that has the number: ${active.id}`);
    const forPrograms = await calls(...args, '--json');
    expect(JSON.parse(forPrograms.stderr) as Problem).toMatchObject({ code: 'NUMBER_BUSY', activeCallId: active.id });
  });
});

test('calls cancel and calls retry take several ids, and stop at the first that is refused', async () => {
  const [first, second] = [await pendingCall(), await pendingCall()];
  const canceled = await calls('cancel', first.id, second.id);
  expect(canceled).toMatchObject({ code: 0, stdout: `${first.id}  CANCELED\n${second.id}  CANCELED\n` });
  const again = await calls('cancel', first.id, second.id);
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(again.stderr).toContain('CALL_ALREADY_ENDED');
  const retried = await calls('retry', first.id, '--json');
  expect(jsonLines<Call>(retried)).toMatchObject([{ id: first.id, status: 'PENDING' }]);
  expect((await calls('retry', first.id)).stderr).toContain('CALL_NOT_RETRYABLE');
});

describe('calls list', () => {
  const script = 'listed';
  beforeAll(async () => {
    for (let count = 0; count < 3; count++) await service.place({ to: freshNumber(), scriptId: script });
  });

  test('shows a table that nothing is cut in where it goes to a file or a pipe', async () => {
    const { stdout, code } = await calls('list', '--script', script);
    const [head, ...rows] = stdout.trimEnd().split('\n');
    expect(code).toBe(0);
    expect(head).toMatch(/^ID +STATUS +TO +SCRIPT +ATTEMPTS +CREATED/);
    expect(rows).toHaveLength(3);
    for (const row of rows) expect(row).toMatch(/^[0-9a-f-]{36} {2}\w+ +\+966\d{9} +listed +\d\/3 +\d{4}-\d\d-\d\d /);
  });

  test('gives programs one call a line, at most --limit', async () => {
    const listed = jsonLines<Call>(await calls('list', '--script', script, '--json', '--limit', '2'));
    expect(listed).toHaveLength(2);
    expect(Object.keys(listed[0]!)).toContain('payload');
  });

  test('filters, and says where nothing matches', async () => {
    const { code, stdout, stderr } = await calls('list', '--script', 'no-such-script');
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: 'No call matches.\n' });
    expect((await calls('list', '--status', 'DONE')).code).toBe(2);
  });

  test.each([120, 90, 60, 40, 20])('on a terminal of %d columns it keeps within them', async (columns) => {
    const { stdout } = await runCalls(['list', '--script', script], {
      env: { CALLS_URL: service.url, COLUMNS: String(columns) },
    });
    const ids = [...stdout.matchAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g)];
    expect(ids).toHaveLength(3);
    // Narrower than an id each call is a block of lines, with nothing left out.
    if (columns < 50) expect(stdout).toMatch(/^LAST ERROR/m);
    else for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
  });

  test('what others wrote cannot steer the terminal', async () => {
    const name = 'steer\u001b[2J\u202e\r';
    await service.place({ to: freshNumber(), scriptId: name });
    const { stdout } = await calls('list', '--script', name);
    expect(stdout).toContain('steer\\u001b[2J\\u202e\\u000d');
    // eslint-disable-next-line no-control-regex
    expect(stdout).not.toMatch(/[\u001b\u202e\r]/);
  });
});

test('calls forget wants a yes, and forgets the person in a call that is over', async () => {
  const { id, payload } = await pendingCall();
  expect(await calls('forget', id)).toMatchObject({ code: 2, stdout: '' });
  expect((await calls('forget', id, '--yes')).stderr).toContain('CALL_NOT_ENDED');
  await calls('cancel', id);
  expect(await calls('forget', id, '--yes')).toMatchObject({ code: 0, stdout: `${id}  CANCELED\n` });
  expect((await calls('get', id, '--json')).stdout).not.toContain(payload.to);
});

test('calls update changes a call, and wants something to change', async () => {
  const { id } = await pendingCall();
  expect((await calls('update', id)).code).toBe(2);
  const { code, stdout } = await calls('update', id, '--metadata-json', '{"a":1}', '--script', 'other');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^metadata +{"a":1}$/m);
  expect(stdout).toMatch(/^script +other$/m);
});

test('calls import requests what a file holds, from stdin too, and the same file makes nothing twice', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'calls-import-'));
  const file = join(folder, 'calls.csv');
  const csv = `to,scriptId\n${freshNumber()},imported\n911,imported\n`;
  await writeFile(file, csv);
  const first = await calls('import', file);
  expect(first.code).toBe(1);
  expect(first.stdout).toMatch(/^row 2: to .*\(INVALID_REQUEST\)\n2 rows: 1 accepted, 0 known already, 1 refused\n$/);
  const again = await runCalls(['import', '-', '--json'], { env: { CALLS_URL: service.url }, stdin: csv });
  expect(jsonLines(again).at(-1)).toEqual({ summary: { rows: 2, accepted: 0, replayed: 1, refused: 1 } });
  const missing = await calls('import', join(folder, 'none.csv'));
  expect(missing.code).toBe(2);
  expect(missing.stderr).toMatch(/none\.csv cannot be read: ENOENT/);
  expect((await calls('import', folder)).stderr).toMatch(/cannot be read: EISDIR/);
  await rm(folder, { recursive: true });
});

test('calls export writes what matches to a file or to stdout, which may close early', async () => {
  await service.place({ to: freshNumber(), scriptId: 'exported' });
  const folder = await mkdtemp(join(tmpdir(), 'calls-export-'));
  const file = join(folder, 'calls.csv');
  expect(await calls('export', '--script', 'exported', '--output', file)).toMatchObject({ code: 0, stdout: '' });
  const { stdout } = await calls('export', '--script', 'exported');
  expect(await readFile(file, 'utf8')).toBe(stdout);
  expect(stdout).toMatch(/^id,to,scriptId/);
  expect(jsonLines<Call>(await calls('export', '--script', 'exported', '--json'))).toHaveLength(1);
  expect((await calls('export', '--output', join(folder, 'no/such/folder'))).code).toBe(2);
  await rm(folder, { recursive: true });
});

test('calls completion completes commands, options and their values in bash, and evaluates nothing that is typed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'calls-completion-'));
  const main = join(__dirname, '../../dist/src/cli/main.js');
  const script = `
    calls() { '${process.execPath}' '${main}' "$@"; }
    source <(calls completion bash); source <(calls completion bash)
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _calls; echo "\${COMPREPLY[*]}"; }
    try calls li
    try calls list --st
    try calls list --status = F
    try calls completion ''
    try calls list --json ''
    try calls get '$(touch evaluated)'
    ls`;
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: folder });
  expect(stdout.split('\n')).toEqual(['list', '--status', 'FAILED', 'bash zsh fish', '', '', '']);
  await rm(folder, { recursive: true });
});

test('calls stats counts calls and slots', async () => {
  const { stdout } = await calls('stats');
  expect(stdout).toMatch(/^COMPLETED +\d+$/m);
  expect(stdout).toMatch(/^slots +\d+ of 30 held, \d+ waiting$/m);
  expect(stdout).toMatch(/^dialling +not paused$/m);
  expect(jsonLines<Stats>(await calls('stats', '--json'))[0]?.slots.limit).toBe(30);
});

test('calls pause stops dialling, with its reason, which calls stats shows until calls resume', async () => {
  const paused = await calls('pause', '--reason', 'wrong script');
  expect([paused.code, paused.stderr]).toEqual([0, '']);
  expect(paused.stdout).toMatch(/^dialling: paused since \d{4}-\d\d-\d\d .*Z: wrong script\n$/);
  expect((await calls('stats')).stdout).toMatch(/^dialling +paused since .*: wrong script$/m);
  expect(jsonLines<Control>(await calls('pause', '--json'))[0]?.pause?.reason).toBe('wrong script');
  expect(await calls('resume')).toMatchObject({ code: 0, stdout: 'dialling: not paused\n' });
  expect(jsonLines<Control>(await calls('resume', '--json'))).toEqual([{ pause: null }]);
});

describe('exit codes', () => {
  test.each([
    ['0 for help', ['--help'], 0],
    ['0 for the version', ['--version'], 0],
    ['1 for what the service refuses', ['get', 'not-a-uuid'], 1],
    ['2 for an unknown command', ['creat'], 2],
    ['2 without a command', [], 2],
    ['2 for a retry of all that failed, whatever the reason', ['retry-failed', '--yes'], 2],
    ['2 for an unknown option', ['list', '--colour'], 2],
    ['2 for a value that cannot be', ['list', '--limit', 'many'], 2],
    ['2 for a URL that is none', ['stats', '--url', 'localhost'], 2],
    ['3 for a call that there is not', ['get', '00000000-0000-4000-8000-000000000000'], 3],
    ['5 for a service that is away', ['stats', '--url', 'http://127.0.0.1:9'], 5],
    [
      '6 for a call that has not ended in time',
      ['create', '+966504999999', '-s', 'x', '--wait', '--timeout', '0.1s'],
      6,
    ],
  ])('%s', async (_what, args, code) => {
    const outcome = await calls(...args);
    expect([outcome.code, outcome.stderr]).toEqual([code, outcome.stderr]);
    if (code > 0) expect(outcome.stderr).not.toBe('');
  });
});

test('a mistyped command is told what was meant', async () => {
  expect((await calls('creat')).stderr).toContain('Did you mean create?');
});

test('a reader that has read enough ends it without a word', async () => {
  const { child, output, ended } = startCalls(['list', '--all', '--json'], { env: { CALLS_URL: service.url } });
  child.stdout?.destroy();
  expect(await ended).toMatchObject({ code: 0, signal: null });
  expect(output.stderr).toBe('');
});
