import { randomBytes, randomInt } from 'node:crypto';

import type { Call } from '../../src/call/call';
import { topics } from '../../src/call/names';
import { readConfig } from '../../src/config';
import type { Broker, MessageHeaders } from '../../src/events/broker';
import { Stage } from '../faults/stage';
import { openBroker } from '../support/kafka';
import { TraceCollector, type CollectedSpan } from '../support/trace-collector';
import { waitUntil } from '../support/wait-until';
import { Receiver } from '../webhooks/receiver';

let collector: TraceCollector;
let receiver: Receiver;
let stage: Stage;
let kafka: Broker;
/** `traceparent` of the events on Kafka, by the id of their call. */
const eventHeaders = new Map<string, string[]>();
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  [collector, receiver, kafka] = await Promise.all([
    TraceCollector.open(),
    Receiver.open(...readConfig({}).WEBHOOK_SIGNING_SECRETS),
    openBroker(),
  ]);
  stage = await Stage.open({
    callSeconds: 0.5,
    settings: {
      MAX_CONCURRENT_CALLS: '3',
      WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    },
  });
  await stage.service.start('api', 'worker', 'bridge');
  const reader = await kafka.startConsumer({
    groupId: `traces-${randomBytes(4).toString('hex')}`,
    topic: topics.events,
    onBatch: (batch) => {
      for (const { key, headers, offset } of batch.messages) {
        const id = String(key);
        eventHeaders.set(id, [...(eventHeaders.get(id) ?? []), String(headers['traceparent'])]);
        batch.resolve(offset);
      }
      return Promise.resolve();
    },
  });
  closing.push(reader.close);
}, 90_000);

afterAll(async () => {
  await Promise.all(closing.map((close) => close()));
  await stage.close();
  await receiver.close();
  await collector.close();
});

const freshTraceparent = () => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;

const named = (spans: readonly CollectedSpan[], name: string) => spans.filter((span) => span.name === name);

/**
 * Waits until the call is over and its trace is whole: each span but the first hangs below another of it, and so many
 * events have left.
 */
async function traceOf(id: string, events: number): Promise<CollectedSpan[]> {
  await stage.service.untilFinal(id);
  const withoutParent = () => {
    const spans = collector.ofCall(id);
    const ids = new Set(spans.map(({ spanId }) => spanId));
    expect(ids.size).toBe(spans.length);
    return spans.filter(({ parentSpanId }) => !ids.has(parentSpanId)).map(({ name }) => name);
  };
  await waitUntil(`the whole trace of ${id}`, () => {
    const spans = collector.ofCall(id);
    const ended = named(spans, 'send event').length === events;
    // The last that is done for a run, by a process that sends its spans by itself.
    const reported = named(spans, 'signal report').length === named(spans, 'placeCall').length;
    return ended && reported && withoutParent().join() === 'accept call';
  }).catch(() => undefined);
  expect(withoutParent()).toEqual(['accept call']);
  return collector.ofCall(id);
}

test('a call has one trace, from the request through its workflow and the provider to its events and webhooks', async () => {
  let dialled: string | undefined;
  stage.decide = (dial) => {
    // Other tests' messages are on the topic as well.
    if (dial.to === '+966501770001') dialled = dial.traceparent;
    return stage.usually();
  };
  const traceparent = freshTraceparent();
  const answer = await stage.service.post(
    '/calls',
    { to: '+966501770001', scriptId: 'traced', metadata: { name: 'Noura' }, webhookUrl: receiver.url() },
    { traceparent },
  );
  const { id } = (await answer.json()) as Call;
  const events = 4;
  await waitUntil('webhooks told', () => receiver.received.length === events);
  await waitUntil('webhooks traced', () => named(collector.ofCall(id), 'send webhook').length === events);
  const spans = await traceOf(id, events);

  const [accepted] = named(spans, 'accept call');
  expect(accepted!.links).toMatchObject([{ traceId: traceparent.split('-')[1], spanId: traceparent.split('-')[2] }]);
  expect(new Set(spans.map(({ service }) => service))).toEqual(
    new Set(['call-orchestrator-api', 'call-orchestrator-worker', 'call-orchestrator-bridge']),
  );

  const [run] = named(spans, 'placeCall');
  expect(run!.parentSpanId).toBe(accepted!.spanId);
  for (const step of ['enqueueAttempt', 'dial']) {
    expect([step, named(spans, step).map(({ parentSpanId }) => parentSpanId)]).toEqual([step, [run!.spanId]]);
  }
  const [provider] = named(spans, 'provider dial');
  expect(provider!.parentSpanId).toBe(named(spans, 'dial')[0]!.spanId);
  expect(provider!.attributes['http.response.status_code']).toBe(202);
  expect(dialled).toBe(`00-${provider!.traceId}-${provider!.spanId}-01`);
  for (const name of ['receive report', 'signal report']) {
    expect([name, named(spans, name)[0]!.parentSpanId]).toEqual([name, run!.spanId]);
  }
  expect(named(spans, 'end completed call')[0]!.parentSpanId).toBe(named(spans, 'receive report')[0]!.spanId);
  expect(run!.to - run!.from).toBeGreaterThan(400);

  const headersOf = (name: string) => named(spans, name).map((span) => `00-${span.traceId}-${span.spanId}-01`);
  await waitUntil('events read', () => eventHeaders.get(id)?.length === events);
  expect(eventHeaders.get(id)!.sort()).toEqual(headersOf('send event').sort());
  expect(receiver.received.map(({ headers }) => headers['traceparent']).sort()).toEqual(
    headersOf('send webhook').sort(),
  );
});

test('a call by Kafka has one as well, over all its attempts, linked to that of its message', async () => {
  const to = `+96655${randomInt(1_000_000, 9_999_999)}`;
  stage.decide = (dial) => stage.usually(dial.to === to && dial.nth === 1 ? { outcome: 'BUSY' } : {});
  const traceparent = freshTraceparent();
  const producer = kafka.producer();
  const headers: MessageHeaders = { traceparent };
  await producer.send(topics.requests, [{ key: to, value: JSON.stringify({ to, scriptId: 'traced' }), headers }]);
  await producer.close();
  const call = await waitUntil('the call', async () => {
    const { calls } = await stage.service.get<{ calls: Call[] }>(`/calls?to=${encodeURIComponent(to)}`);
    return calls[0];
  });
  const spans = await traceOf(call.id, 6);
  expect(named(spans, 'accept call')).toMatchObject([
    { service: 'call-orchestrator-bridge', links: [{ traceId: traceparent.split('-')[1] }] },
  ]);
  const runs = named(spans, 'placeCall').sort((a, b) => a.from - b.from);
  expect(runs.map(({ failed, attributes }) => [failed, attributes['call.attempt']])).toEqual([
    [true, 1],
    [false, 2],
  ]);
  expect(runs[0]!.attributes['error.type']).toBe('AttemptFailed');
});

test('who gets a slot from another is linked to the call that gave it', async () => {
  const release = stage.holdTheLine();
  const calls = await Promise.all([3, 4, 5, 6, 7].map((at) => stage.service.place({ to: `+96650177000${at}` })));
  // By Redis: who waits by the record alone may still find a slot free, and none is then signalled.
  await waitUntil('all slots held, and calls that wait', async () => {
    const [held, waiting] = [await stage.redis.hlen('{slots}:holders'), await stage.redis.zcard('{slots}:queue')];
    return held === 3 && waiting >= 2;
  });
  release();
  for (const { id } of calls) await traceOf(id, 4);
  // The reconciler tells again of a grant that was perhaps not heard; that is of no call's doing.
  const granted = () =>
    calls.flatMap(({ id }) => named(collector.ofCall(id), 'signal slot')).filter(({ links }) => links.length > 0);
  const givers = () =>
    new Map(named(collector.spans, 'end completed call').map((span) => [span.spanId, span.traceId] as const));
  // A process sends its spans now and then.
  await waitUntil('who gave each slot is told', () => {
    const known = givers();
    return granted().length > 0 && granted().every(({ links }) => known.has(links[0]!.spanId));
  });
  for (const { links, traceId } of granted()) {
    expect(givers().get(links[0]!.spanId)).toBe(links[0]!.traceId);
    expect(links[0]!.traceId).not.toBe(traceId);
  }
});

test('nothing personal stands in any span', () => {
  const texts = collector.raw.join('\n');
  expect(texts).toContain('call.id');
  expect(texts).not.toMatch(/Noura|traced"|50177000|\+966|"96655\d{7}/);
});
