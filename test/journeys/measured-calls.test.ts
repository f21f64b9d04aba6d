import { pickFreePorts } from '../../infra/tcp-port';
import { topics } from '../../src/call/names';
import { codeIn, readDocument, section, tableRows } from '../docs/documents';
import { openBroker } from '../support/kafka';
import { readScrape, sumOf, type Sample } from '../support/scrape';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

/** Fewer slots than calls, so that some wait; and a provider that lets some of them fail. */
const settings = { MAX_CONCURRENT_CALLS: '2', MOCK_SUCCESS_RATE: '0.7', MOCK_SEED: 'measured' };

let service: Service;
let urls: { api: string; worker: string; bridge: string };
let numbers = 0;

beforeAll(async () => {
  const [worker = 0, bridge = 0] = await pickFreePorts(2);
  await (await openBroker()).admin().close();
  service = await Service.open(settings);
  await Promise.all([
    service.start('api', 'provider'),
    service.run('worker', { HEALTH_PORT: String(worker) }),
    service.run('bridge', { HEALTH_PORT: String(bridge) }),
  ]);
  urls = { api: service.url, worker: `http://127.0.0.1:${worker}`, bridge: `http://127.0.0.1:${bridge}` };
}, 90_000);

afterAll(() => service.close());

const number = () => `+9665077${String(10_000 + numbers++)}`;

async function scrape(url: string): Promise<string> {
  const answer = await fetch(`${url}/metrics`, { headers: { Accept: 'text/plain;version=0.0.4' } });
  expect([answer.status, answer.headers.get('Content-Type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ]);
  return answer.text();
}

async function scrapeAll(): Promise<Sample[]> {
  return (await Promise.all(Object.values(urls).map(scrape))).flatMap(readScrape);
}

async function carryOut(calls: number): Promise<void> {
  const accepted = await Promise.all(Array.from({ length: calls }, () => service.place({ to: number() })));
  for (const { id } of accepted) await service.untilFinal(id);
}

async function sendRequest(): Promise<void> {
  const producer = (await openBroker()).producer();
  const to = number();
  await producer.send(topics.requests, [{ key: to, value: JSON.stringify({ to, scriptId: 'testScript' }) }]);
  await producer.close();
  await waitUntil('the call over', async () => {
    const { calls } = await service.get<{ calls: { endedAt: string | null }[] }>(`/calls?to=${encodeURIComponent(to)}`);
    return calls[0]?.endedAt != null;
  });
}

test('each process tells in one scrape what it measures, and the worker what Temporal’s SDK measures as well', async () => {
  await carryOut(6);
  await sendRequest();
  const [ended, begun] = ['orchestrator_attempts_total', 'orchestrator_slot_wait_seconds_count'];
  const scrapes = () =>
    Promise.all([urls.api, urls.worker, urls.bridge].map(async (url) => readScrape(await scrape(url))));
  // How long an attempt waited is measured a moment after it began.
  const [api, worker, bridge] = await waitUntil('each turn is measured', async () => {
    const all = await scrapes();
    const [ofApi, ofWorker] = all;
    return sumOf([...ofApi!, ...ofWorker!], ended)! <= (sumOf(ofWorker!, begun) ?? 0) && all;
  });

  expect(sumOf(api!, 'orchestrator_calls')).toBeGreaterThanOrEqual(7);
  expect(sumOf(api!, 'orchestrator_slots_limit')).toBe(2);
  expect(sumOf(api!, 'orchestrator_backlog', { backlog: 'queue' })).toBeGreaterThanOrEqual(0);
  expect(sumOf(api!, 'orchestrator_backlog_oldest_seconds', { backlog: 'outbox' })).toBeLessThan(60);
  expect(sumOf(api!, 'orchestrator_requests_total', { door: 'http', answer: 'ACCEPTED' })).toBe(6);
  expect(
    sumOf(api!, 'orchestrator_http_request_duration_seconds_count', { route: '/calls', method: 'POST', status: '201' }),
  ).toBe(6);
  expect(
    sumOf(api!, 'orchestrator_http_request_duration_seconds_count', { route: '/callbacks/call-status', status: '200' }),
  ).toBeGreaterThanOrEqual(7);

  expect(sumOf(worker!, begun)).toBeGreaterThanOrEqual(7);
  // Whoever wrote the end down counts it. Calls of other tests' messages may be under way.
  const allEnded = sumOf([...api!, ...worker!], ended)!;
  expect(allEnded).toBeGreaterThanOrEqual(7);
  expect(allEnded).toBeLessThanOrEqual(sumOf(worker!, begun)!);
  expect(sumOf(api!, ended, { outcome: 'COMPLETED' })).toBeGreaterThan(0);
  // A slot that stood idle for want of calls was not handed over.
  const handedOver = sumOf(worker!, 'orchestrator_handover_seconds_count')!;
  expect(handedOver).toBeGreaterThanOrEqual(4);
  expect(handedOver).toBeLessThan(sumOf(worker!, begun)!);
  expect(
    sumOf(worker!, 'orchestrator_provider_request_duration_seconds_count', { operation: 'dial', outcome: '2xx' }),
  ).toBeGreaterThanOrEqual(allEnded);
  expect(sumOf(worker!, 'temporal_workflow_completed_total', { workflow_type: 'placeCall' })).toBeGreaterThan(0);
  expect(sumOf(worker!, 'temporal_activity_execution_latency_seconds_count')).toBeGreaterThan(0);

  expect(sumOf(bridge!, 'orchestrator_requests_total', { door: 'kafka', answer: 'ACCEPTED' })).toBeGreaterThan(0);
  expect(sumOf(bridge!, 'orchestrator_kafka_intake_lag_seconds_count')).toBeGreaterThan(0);
  expect(sumOf(bridge!, 'orchestrator_relay_lag_seconds_count')).toBeGreaterThanOrEqual(7 * 4);
  await waitUntil(
    'no lag',
    async () => sumOf(readScrape(await scrape(urls.bridge)), 'orchestrator_kafka_lag_messages') === 0,
  );
  expect([
    sumOf(api!, 'orchestrator_handoff_lag_seconds_count'),
    sumOf(bridge!, 'orchestrator_handoff_lag_seconds_count'),
  ]).toEqual([6, expect.any(Number)]);
  for (const process of [api!, worker!, bridge!]) {
    expect(sumOf(process, 'orchestrator_process_cpu_seconds_total')).toBeGreaterThan(0);
  }
});

test('more calls make no more series, and none of them names a call or a number', async () => {
  const seriesOf = (samples: readonly Sample[]) =>
    new Set(samples.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`));
  // What may differ between two rounds of calls: which outcomes, verdicts and kinds of Temporal's and Node's own work there
  // were.
  await carryOut(12);
  const before = seriesOf(await scrapeAll());
  await carryOut(12);
  const after = await scrapeAll();
  const fresh = [...seriesOf(after)].filter((series) => !before.has(series));
  expect(fresh.filter((series) => !/outcome|answer|operation|status|^orchestrator_nodejs_active/.test(series))).toEqual(
    [],
  );
  // This run's own random name may hold nine digits in a row by chance.
  const texts = after
    .flatMap(({ labels }) => Object.values(labels))
    .filter((text) => text !== service.namespace.namespace)
    .join('\n');
  expect(texts).not.toMatch(/\d{9,}|[0-9a-f]{8}-[0-9a-f]{4}-/);
});

test('docs/observing.md tells of each metric with its labels, and of no other', async () => {
  const texts = (await Promise.all(Object.values(urls).map(scrape))).join('\n');
  const measured = [...texts.matchAll(/^# TYPE (orchestrator_(?!process_|nodejs_)\w+) /gm)].map(([, name]) => name);
  const rows = tableRows(section(readDocument('docs/observing.md'), 'Metrics'));
  expect(rows.map(([name]) => codeIn(name)).sort()).toEqual([...new Set(measured)].sort());
  for (const { name, labels } of readScrape(texts)) {
    const row = rows.find(([told]) => name.replace(/_(bucket|sum|count)$/, '') === codeIn(told));
    if (row === undefined) continue;
    const told = [...(row[1] ?? '').matchAll(/`(\w+)`/g)].map(([, label]) => label);
    expect([name, Object.keys(labels).filter((label) => label !== 'le' && !told.includes(label))]).toEqual([name, []]);
  }
});
