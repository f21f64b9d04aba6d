import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startReceiver, until } from './provider-under-test';

interface Running {
  readonly child: ChildProcess;
  output: () => string;
  exit: Promise<number | null>;
  url: () => Promise<string>;
}

// Starting a process takes seconds on a busy machine.
jest.setTimeout(30_000);
const running: Running[] = [];

function startProcess(settings: Record<string, string>): Running {
  const child = fork(
    join(__dirname, '../support/run-typescript.mjs'),
    [join(__dirname, '../../mock-provider/main.ts')],
    {
      env: { PATH: process.env['PATH'], LOG_PRETTY: '0', MOCK_PORT: '0', ...settings },
      // Where no .env lies.
      cwd: tmpdir(),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    },
  );
  let text = '';
  const collect = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  // Not 'close': it never comes where the channel was disconnected by hand.
  const exit = Promise.all([
    once(child, 'exit'),
    ...[child.stdout, child.stderr].map((stream) => stream && once(stream, 'end')),
  ]).then(([[code]]) => code as number | null);
  const output = () => text;
  const url = async () => {
    await until('it is ready', () => /"url":"[^"]+"/.test(text), 20);
    return /"url":"([^"]+)"/.exec(text)?.[1] ?? '';
  };
  const started = { child, output, exit, url };
  running.push(started);
  return started;
}

afterEach(async () => {
  for (const { child, exit } of running.splice(0)) {
    child.kill('SIGKILL');
    await exit;
  }
});

describe('the mock provider process', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('exits 0 on %s while calls are live', async (signal) => {
    const mock = startProcess({});
    const to = '+966501234567';
    await fetch(`${await mock.url()}/api/v1/calls`, {
      method: 'POST',
      body: JSON.stringify({ to, scriptId: 's', webhookUrl: 'http://127.0.0.1:1/' }),
    });
    mock.child.kill(signal);
    expect(await mock.exit).toBe(0);
    expect(mock.output()).toContain('"callId":');
    expect(mock.output()).not.toContain(to);
  });

  it('exits 0 when the process that started it goes away', async () => {
    const mock = startProcess({});
    await mock.url();
    mock.child.disconnect();
    expect(await mock.exit).toBe(0);
  });

  it('exits 0 on SIGTERM after it has delivered webhooks', async () => {
    const receiver = await startReceiver();
    const mock = startProcess({ MOCK_MIN_SECONDS: '0', MOCK_MAX_SECONDS: '0.01' });
    await fetch(`${await mock.url()}/api/v1/calls`, {
      method: 'POST',
      body: JSON.stringify({ to: '+966501234567', scriptId: 's', webhookUrl: receiver.url }),
    });
    await until('the webhook arrives', () => receiver.received.length === 1);
    mock.child.kill('SIGTERM');
    expect(await mock.exit).toBe(0);
    await receiver.close();
  });

  it('ends its live calls when it is stopped, and reports them before it exits', async () => {
    const receiver = await startReceiver();
    const mock = startProcess({});
    await fetch(`${await mock.url()}/api/v1/calls`, {
      method: 'POST',
      body: JSON.stringify({ to: '+966501234567', scriptId: 's', webhookUrl: receiver.url }),
    });
    mock.child.kill('SIGTERM');
    expect(await mock.exit).toBe(0);
    expect(receiver.received.map(({ body }) => [body['status'], body['failureReason']])).toEqual([
      ['FAILED', 'the provider was stopped'],
    ]);
    await receiver.close();
  });

  it('logs the seed it drew, so that a run can be repeated', async () => {
    const mock = startProcess({});
    await mock.url();
    expect(mock.output()).toMatch(/"seed":"[0-9a-f]{16}"/);
  });

  it.each([
    [{ MOCK_SUCCESS_RATE: '1.5' }, 'MOCK_SUCCESS_RATE must be at most 1'],
    [{ MOCK_MIN_SECONDS: '31' }, 'MOCK_MAX_SECONDS must be at least MOCK_MIN_SECONDS'],
    [{ MOCK_PORT: '3100.5' }, 'MOCK_PORT must be a whole number'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL allowed: fatal'],
  ])('exits 1 with one line naming the wrong setting: %j', async (settings, named) => {
    const mock = startProcess(settings);
    expect(await mock.exit).toBe(1);
    expect(mock.output()).toContain(named);
    expect(mock.output().trim().split('\n')).toHaveLength(1);
  });

  it('exits 1 with one line when its port is taken', async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const mock = startProcess({ MOCK_PORT: String((squatter.address() as AddressInfo).port) });
    expect(await mock.exit).toBe(1);
    expect(mock.output()).toMatch(/^mock provider: Port taken .*MOCK_PORT.*\n$/);
    squatter.close();
  });
});
