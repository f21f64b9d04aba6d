import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sql } from 'kysely';

import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../support/database';
import { Toxiproxy, type Proxy } from '../support/toxiproxy';
import { waitUntil } from '../support/wait-until';
import { freshNumber } from './api-under-test';

// Starting a process takes seconds on a busy machine.
jest.setTimeout(60_000);

interface ApiProcess {
  child: ChildProcess;
  exit: Promise<number | null>;
  lines: () => Record<string, unknown>[];
  /** Once it listens. */
  url: () => Promise<string>;
}

const running: ApiProcess[] = [];
let database: TestDatabase;
let toxiproxy: Toxiproxy;
beforeAll(async () => {
  [database, toxiproxy] = await Promise.all([createTestDatabase(), Toxiproxy.open()]);
});
afterEach(async () => {
  for (const { child, exit } of running.splice(0)) {
    child.kill('SIGKILL');
    // A log that nobody reads any more has no end to wait for.
    if (!child.stdout?.destroyed) await exit;
  }
});
afterAll(async () => {
  await toxiproxy.close();
  await database.drop();
});

/** The API as a process of its own, with nothing but PostgreSQL there unless `settings` say otherwise. */
function startProcess(settings: Record<string, string> = {}): ApiProcess {
  const away = '127.0.0.1:1';
  const runner = join(__dirname, '../support/run-typescript.mjs');
  const child = fork(runner, [join(__dirname, '../../src/start/api.ts')], {
    env: {
      PATH: process.env['PATH'],
      LOG_PRETTY: '0',
      PORT: '0',
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: away,
      KAFKA_BROKERS: away,
      REDIS_URL: `redis://${away}`,
      ...settings,
    },
    // Where no .env lies.
    cwd: tmpdir(),
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = child.stdout ? once(child.stdout, 'end') : undefined;
  const exit = once(child, 'exit').then(async ([code]) => {
    await ended;
    return code as number | null;
  });
  const lines = () =>
    text
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const url = () =>
    waitUntil('the API listens', () => lines().find((line) => typeof line['url'] === 'string')?.['url'] as string, 30);
  const started = { child, exit, lines, url };
  running.push(started);
  return started;
}

const fatalLines = (api: ApiProcess) => api.lines().filter(({ level }) => level === 60);

async function proxyToPostgres(): Promise<{ proxy: Proxy; url: string }> {
  const url = new URL(database.url);
  const proxy = await toxiproxy.to(url.host);
  url.host = proxy.address;
  return { proxy, url: url.href };
}

const postCall = (url: string) =>
  fetch(`${url}/calls`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ to: freshNumber(), scriptId: 'testScript' }),
  });

describe('what the API cannot start without', () => {
  test('a taken port ends it with one clear line', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const api = startProcess({ PORT: String(port) });
    expect(await api.exit).toBe(1);
    expect(fatalLines(api).map(({ msg }) => msg)).toEqual([
      `Port ${port} is taken on 127.0.0.1: stop what listens there, or set PORT.`,
    ]);
    other.close();
  });

  test('a database that was not migrated ends it with the remedy', async () => {
    const empty = await createEmptyDatabase();
    try {
      const api = startProcess({ DATABASE_URL: empty.url });
      expect(await api.exit).toBe(1);
      expect(fatalLines(api).map(({ msg }) => msg)).toEqual([expect.stringContaining('run `npm run migrate` first')]);
    } finally {
      await empty.drop();
    }
  });

  test('a database that is not there ends it at once', async () => {
    const url = new URL(database.url);
    url.pathname = '/no_such_database';
    const api = startProcess({ DATABASE_URL: url.href });
    expect(await api.exit).toBe(1);
    expect(fatalLines(api)[0]?.['msg']).toMatch(/PostgreSQL refuses us.*DATABASE_URL/);
  });

  test('a PostgreSQL that comes late is waited for', async () => {
    const { proxy, url } = await proxyToPostgres();
    await proxy.cut();
    const api = startProcess({ DATABASE_URL: url });
    await waitUntil('it waits', () => api.lines().some(({ msg }) => String(msg).startsWith('waiting for PostgreSQL')));
    await proxy.restore();
    expect((await postCall(await api.url())).status).toBe(201);
  });
});

test('with Temporal, Redis and Kafka away it accepts calls within a second, and is ready but degraded', async () => {
  const url = await startProcess().url();
  const startedAt = performance.now();
  expect((await postCall(url)).status).toBe(201);
  expect(performance.now() - startedAt).toBeLessThan(1_000);

  const ready = await fetch(`${url}/ready`);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toMatchObject({
    status: 'degraded',
    dependencies: {
      postgres: { status: 'up', required: true },
      temporal: { status: 'down', required: false },
      redis: { status: 'down', required: false },
      kafka: { status: 'down', required: false },
    },
  });
});

test('PostgreSQL gone in the middle costs 503, and calls are accepted again once it is back', async () => {
  const { proxy, url: databaseUrl } = await proxyToPostgres();
  const url = await startProcess({ DATABASE_URL: databaseUrl }).url();
  expect((await postCall(url)).status).toBe(201);

  await proxy.cut();
  const refused = await postCall(url);
  expect(refused.status).toBe(503);
  expect(refused.headers.get('Retry-After')).toBe('2');
  expect(await refused.json()).toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE' });
  expect((await fetch(`${url}/ready`)).status).toBe(503);
  expect((await fetch(`${url}/health`)).status).toBe(200);

  await proxy.restore();
  expect((await postCall(url)).status).toBe(201);
});

test('SIGTERM lets the requests in flight finish, takes no new ones, and ends with 0', async () => {
  const api = startProcess();
  const url = await api.url();
  const inFlight = await database.db.transaction().execute(async (trx) => {
    await sql`lock table calls in access exclusive mode`.execute(trx);
    const requests = [postCall(url), postCall(url), fetch(`${url}/calls`)];
    await waitUntil('they wait for PostgreSQL', async () => {
      const { rows } = await sql`select 1 from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(database.db);
      return rows.length >= requests.length;
    });
    api.child.kill('SIGTERM');
    await waitUntil('it is stopping', () => api.lines().some(({ msg }) => msg === 'stopping'));
    await waitUntil('it refuses', () =>
      postCall(url).then(
        () => false,
        () => true,
      ),
    );
    return { requests };
  });
  const answers = await Promise.all(inFlight.requests);
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 200]);
  expect(await api.exit).toBe(0);
});

test('SIGTERM while accepted calls wait for a Temporal that is away ends with 0; their rows keep the order', async () => {
  const api = startProcess();
  const url = await api.url();
  const answers = await Promise.all(Array.from({ length: 20 }, () => postCall(url)));
  const calls = (await Promise.all(answers.map((answer) => answer.json()))) as { id: string }[];
  api.child.kill('SIGTERM');
  expect(await api.exit).toBe(0);
  const rows = await database.db
    .selectFrom('calls')
    .select('handoff')
    .where(
      'id',
      'in',
      calls.map(({ id }) => id),
    )
    .execute();
  expect(rows).toEqual(Array(20).fill({ handoff: 'START' }));
});

test('where its supervisor has died, and with it whoever read its log, it ends', async () => {
  const api = startProcess();
  await api.url();
  const exited = once(api.child, 'exit');
  // A killed parent's ends of pipe and channel are closed by the system: what is written now goes nowhere.
  api.child.stdout?.destroy();
  api.child.disconnect();
  expect(await exited).toEqual([0, null]);
});
