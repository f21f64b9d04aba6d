import { randomUUID } from 'node:crypto';

import type { DependencyCheck } from '../../src/api/health';
import { metricsSchema, readinessSchema } from '../../src/api/schemas';
import { reconcilerDuties } from '../../src/call/reconciler-duties';
import { recordDuty } from '../../src/store/reconciler-mends';
import { freshNumber, startApi, type ApiUnderTest } from './api-under-test';

const up: DependencyCheck = { required: false, check: () => Promise.resolve() };
const down: DependencyCheck = { required: false, check: () => Promise.reject(new Error('connection refused')) };
const hanging: DependencyCheck = { required: false, check: () => new Promise<void>(() => undefined) };

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({
    env: { MAX_CONCURRENT_CALLS: '7' },
    checks: { postgres: { ...up, required: true }, redis: down, kafka: up },
  });
});
afterAll(() => api.close());

describe('GET /metrics', () => {
  beforeAll(async () => {
    const { id } = await api.acceptCall();
    await api.request('POST', `/calls/${id}/cancel`);
    const { id: callId } = await api.acceptCall();
    const queued = { call_id: callId, round: 1, queue_seq: 1, run_id: 'run', run_number: 1 };
    const began = { number: 1, slot: 3, to_number: freshNumber(), started_at: new Date() };
    await api.db
      .insertInto('attempts')
      .values([
        { ...queued, ...began, id: randomUUID() },
        { ...queued, id: randomUUID() },
        { ...queued, id: randomUUID() },
        { ...queued, id: randomUUID(), ended_at: new Date() },
      ])
      .execute();
  });

  test.each([undefined, '*/*', 'application/json', 'application/json, text/plain', 'text/html, */*;q=0.8'])(
    'counts calls by status and slots by use, as JSON for Accept: %s',
    async (accept) => {
      const answer = await api.request('GET', '/metrics', { headers: accept === undefined ? {} : { Accept: accept } });
      expect(answer.status).toBe(200);
      expect(metricsSchema.parse(answer.body)).toEqual({
        PENDING: 1,
        IN_PROGRESS: 0,
        COMPLETED: 0,
        FAILED: 0,
        EXPIRED: 0,
        CANCELED: 1,
        slots: { limit: 7, held: 1, waiting: 2 },
      });
    },
  );

  test.each([
    'text/plain',
    'text/plain;version=0.0.4, application/json;q=0.9',
    'application/json;q=0.1, text/plain',
    'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
  ])('is Prometheus text for Accept: %s', async (accept) => {
    const answer = await api.request('GET', '/metrics', { headers: { Accept: accept } });
    expect(answer.headers.get('Content-Type')).toMatch(/^text\/plain; version=0\.0\.4/);
    for (const line of [
      'orchestrator_calls{status="PENDING"} 1',
      'orchestrator_calls{status="FAILED"} 0',
      'orchestrator_slots_limit 7',
      'orchestrator_slots_held 1',
      'orchestrator_slots_waiting 2',
    ]) {
      expect(answer.text.split('\n')).toContain(line);
    }
    expect(answer.text).toContain('orchestrator_process_cpu_seconds_total');
  });

  test('shows what the reconciler has mended by duty, and when each of its duties last got through', async () => {
    const shown = async (name: string) => {
      const { text } = await api.request('GET', '/metrics', { headers: { Accept: 'text/plain' } });
      return text.split('\n').filter((line) => line.startsWith(`orchestrator_reconciler_${name}`));
    };
    expect(await shown('mended_total')).toEqual(
      reconcilerDuties.map((duty) => `orchestrator_reconciler_mended_total{duty="${duty}"} 0`),
    );
    for (const duty of reconcilerDuties.slice(1)) await recordDuty(api.db, duty, 0);
    expect(await shown('last_round')).toEqual(['orchestrator_reconciler_last_round_timestamp_seconds 0']);

    await recordDuty(api.db, reconcilerDuties[0], 2);
    await recordDuty(api.db, reconcilerDuties[0], 3);
    for (let scrape = 0; scrape < 2; scrape++) {
      expect((await shown('mended_total'))[0]).toBe(`orchestrator_reconciler_mended_total{duty="handOffLeftBehind"} 5`);
    }
    const [line = ''] = await shown('last_round');
    expect(Math.abs(Number(line.split(' ')[1]) - Date.now() / 1_000)).toBeLessThan(60);
  });
});

test('GET /health answers {"status":"ok"}', async () => {
  const answer = await api.request('GET', '/health');
  expect([answer.status, answer.body]).toEqual([200, { status: 'ok' }]);
});

describe('GET /ready', () => {
  test('answers 200, degraded, while only what it can do without is down', async () => {
    const answer = await api.request('GET', '/ready');
    expect(answer.status).toBe(200);
    expect(readinessSchema.parse(answer.body)).toEqual({
      status: 'degraded',
      dependencies: {
        postgres: { status: 'up', required: true },
        redis: { status: 'down', required: false, detail: 'connection refused' },
        kafka: { status: 'up', required: false },
      },
    });
  });

  test('answers 503, unavailable, where a required dependency is down', async () => {
    const other = await startApi({ checks: { postgres: { ...down, required: true }, redis: up } });
    try {
      const answer = await other.request('GET', '/ready');
      expect([answer.status, answer.body['status']]).toEqual([503, 'unavailable']);
    } finally {
      await other.close();
    }
  });

  test('answers within its deadline, and asks a dependency that hangs once', async () => {
    let asked = 0;
    const check = () => {
      asked++;
      return hanging.check();
    };
    const other = await startApi({ checks: { temporal: { required: false, check }, postgres: up } });
    try {
      const startedAt = performance.now();
      const [answer] = await Promise.all([other.request('GET', '/ready'), other.request('GET', '/ready')]);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      expect(answer.body).toMatchObject({
        status: 'degraded',
        dependencies: { temporal: { status: 'down', detail: 'no answer within 1.5 s' }, postgres: { status: 'up' } },
      });
      expect(asked).toBe(1);
    } finally {
      await other.close();
    }
  });
});
