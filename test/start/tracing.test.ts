import pino from 'pino';

import { startTracing } from '../../src/start/tracing';
import { beginInCall, inCall, inStep, traceHeaders } from '../../src/tracing';
import { waitUntil } from '../support/wait-until';

const callId = '7f2cc87b-03e7-4be4-a8bf-504f054c6262';
const lines: Record<string, unknown>[] = [];
const log = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) });

/** The headers that go out from within a step of the call. */
const headersWithin = () =>
  inCall(callId, 'step', {}, () => inStep('below', {}, () => Promise.resolve(traceHeaders())));

// The API of OpenTelemetry is switched on once a process, so what is without it comes first.
test('without an endpoint nothing is loaded, no header goes out, and the work is done', async () => {
  const { close } = await startTracing(
    'test',
    { OTEL_EXPORTER_OTLP_ENDPOINT: undefined, OTEL_TRACES_SAMPLER_ARG: 1 },
    log,
  );
  expect(await headersWithin()).toEqual({});
  expect(beginInCall(callId, 'event', {}).headers).toEqual({});
  await expect(inCall(callId, 'step', {}, () => Promise.reject(new Error('its own')))).rejects.toThrow('its own');
  expect(Object.keys(require.cache).filter((file) => file.includes('@opentelemetry/sdk-trace'))).toEqual([]);
  await close();
});

test('who takes the traces may be away: the work goes on, one line says so, and the process ends in time', async () => {
  const { close } = await startTracing(
    'test',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_SAMPLER_ARG: 1 },
    log,
  );
  const within = await headersWithin();
  expect(within['traceparent']).toMatch(/^00-7f2cc87b03e74be4a8bf504f054c6262-[0-9a-f]{16}-01$/);
  await waitUntil('the line', () => lines.some(({ msg }) => msg === 'traces are not taken, and are lost'));
  await headersWithin();
  const begunAt = performance.now();
  await close();
  expect(performance.now() - begunAt).toBeLessThan(5_000);
  expect(lines.filter(({ level }) => level === 40)).toHaveLength(1);
});
