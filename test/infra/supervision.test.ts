import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/config';
import { roleAddresses, roleEnvironment } from '../../infra/roles';
import { StopRequests } from '../../infra/stop-requests';
import { restartDelaySeconds, SupervisedRole } from '../../infra/supervised-role';
import { waitUntil } from '../../infra/wait-until';

let directory: string;
beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'supervision-'))));
afterAll(() => rmSync(directory, { recursive: true }));

const soon = { deadlineSeconds: 15, pollMilliseconds: 20 };

function roleFrom(source: string, lines: string[]): SupervisedRole {
  const script = join(directory, `role-${Math.random().toString(36).slice(2)}.cjs`);
  writeFileSync(script, source);
  return new SupervisedRole({ name: 'role', script, cwd: directory, env: process.env }, (line) => lines.push(line));
}

test('a role that dies is started again, is ready again, and stops for good when told', async () => {
  const lines: string[] = [];
  const role = roleFrom(
    // Ready only once it hears SIGTERM, as the roles are: else the stop below could come before the handler.
    `process.on('SIGTERM', () => { console.log('orderly end'); process.exit(0); }); setInterval(() => {}, 1000);
     console.log('pid ' + process.pid); process.send('ready');`,
    lines,
  );
  const pids = (): number[] => lines.flatMap((line) => (line.startsWith('pid ') ? [Number(line.slice(4))] : []));
  role.start();
  expect(await waitUntil(() => role.isReady && pids().length === 1, soon)).toBe(true);

  process.kill(pids()[0] ?? 0, 'SIGKILL');
  expect(await waitUntil(() => role.isReady && pids().length === 2, soon)).toBe(true);
  expect(lines).toContain('ended (SIGKILL); starting again in 0.5 s');

  await role.stop();
  expect(await waitUntil(() => lines.includes('orderly end'), soon)).toBe(true);
  expect(pids()).toHaveLength(2);
});

test('stopping while a restart is due leaves nothing behind', async () => {
  const lines: string[] = [];
  const role = roleFrom('process.exit(7)', lines);
  role.start();
  expect(await waitUntil(() => lines.includes('ended (exit code 7); starting again in 0.5 s'), soon)).toBe(true);

  await role.stop();

  expect(lines).toHaveLength(1);
});

test('restarts come ever more slowly, but at least every 30 seconds', () => {
  expect([0, 1, 2, 5, 6, 50].map(restartDelaySeconds)).toEqual([0.5, 1, 2, 16, 30, 30]);
});

describe('Ctrl-C', () => {
  let exit: jest.SpyInstance;
  beforeEach(() => (exit = jest.spyOn(process, 'exit').mockReturnValue(undefined as never)));
  afterEach(() => {
    exit.mockRestore();
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name);
  });

  test('that arrives twice within half a second, from the terminal and from npm, counts once', () => {
    const [stop, kill] = [new StopRequests(), jest.fn()];
    stop.onForce(kill);

    stop.request(1000);
    stop.request(1499);

    expect(stop.signal.aborted).toBe(true);
    expect(kill).not.toHaveBeenCalled();
  });

  test('pressed again later kills at once, and exits 130', () => {
    const [stop, kill] = [new StopRequests(), jest.fn()];
    stop.onForce(kill);

    stop.request(1000);
    stop.request(1500);

    expect(kill).toHaveBeenCalledTimes(1);
    expect(exit).toHaveBeenCalledWith(130);
  });
});

describe('what the roles are told', () => {
  test('the base URLs follow the ports', () => {
    const addresses = roleAddresses(readConfig({ PORT: '4000' }), 4100);

    expect(
      roleEnvironment(
        { PUBLIC_BASE_URL: '' },
        { services: { REDIS_URL: 'redis://r' }, temporalUi: 'http://127.0.0.1:9' },
        addresses,
      ),
    ).toMatchObject({
      PUBLIC_BASE_URL: 'http://127.0.0.1:4000',
      PROVIDER_BASE_URL: 'http://127.0.0.1:4100',
      REDIS_URL: 'redis://r',
    });
  });

  test('but a base URL that is set stays', () => {
    const env = { PUBLIC_BASE_URL: 'https://calls.example' };
    const addresses = roleAddresses(readConfig({ HOST: '::' }), 3100);

    expect(roleEnvironment(env, { services: {}, temporalUi: undefined }, addresses)).toMatchObject(env);
    expect(addresses.api).toBe('http://127.0.0.1:3000');
  });
});
