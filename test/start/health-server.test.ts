import { pickFreePorts } from '../../infra/tcp-port';
import { createLog } from '../../src/log';
import { serveHealth } from '../../src/start/health-server';

const closing: (() => Promise<void>)[] = [];
afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

async function serve(alsoMeasured?: () => Promise<string>): Promise<string> {
  const [port = 0] = await pickFreePorts(1);
  const { close } = await serveHealth({
    config: { HOST: '127.0.0.1', HEALTH_PORT: port },
    log: createLog('test', 'silent'),
    ...(alsoMeasured && { alsoMeasured }),
  });
  closing.push(close);
  return `http://127.0.0.1:${port}`;
}

const statusOf = async (url: string, method = 'GET') => (await fetch(url, { method })).status;

test('it says that the process lives, and knows its two pages alone', async () => {
  const url = await serve();
  expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'ok' });
  expect(await statusOf(`${url}/health?deep=1`)).toBe(200);
  expect(await statusOf(`${url}/metrics`, 'POST')).toBe(405);
  expect(await statusOf(`${url}/`)).toBe(404);
  expect(await statusOf(`${url}/toString`)).toBe(404);
});

test.each([
  ['fails', () => Promise.reject(new Error('away'))],
  ['hangs', () => new Promise<string>(() => undefined)],
])('a scrape tells of the process although what it asks others %s, within what Prometheus waits', async (_, others) => {
  const url = await serve(others);
  const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(9_000) });
  expect(answer.status).toBe(200);
  expect(await answer.text()).toContain('orchestrator_process_cpu_seconds_total');
});

test('without a HEALTH_PORT nothing listens', async () => {
  const { close } = await serveHealth({
    config: { HOST: '127.0.0.1', HEALTH_PORT: undefined },
    log: createLog('test', 'silent'),
  });
  await close();
});
