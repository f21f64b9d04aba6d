import type { CallEvent, CallRejectedEvent } from '../../src/call/event';
import type { Call } from '../../src/call/call';
import { topics } from '../../src/call/names';
import type { Broker, Producer } from '../../src/events/broker';
import { openBroker } from '../support/kafka';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

/** The only file that runs the bridge as a process, and so the only one on the topics of the contract. */
let service: Service;
let kafka: Broker;
let producer: Producer;
const events: (CallEvent | CallRejectedEvent)[] = [];
const deadLetters: { value: string; headers: Record<string, string> }[] = [];
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  kafka = await openBroker();
  producer = kafka.producer();
  service = await Service.open({ MOCK_SUCCESS_RATE: '1' });
  await service.start('api', 'worker', 'bridge', 'provider');
  await read(topics.events, (value) => events.push(JSON.parse(value) as CallEvent | CallRejectedEvent));
  await read(topics.deadLetters, (value, headers) => deadLetters.push({ value, headers }));
}, 90_000);

afterAll(async () => {
  await Promise.all([producer.close(), ...closing.map((close) => close())]);
  await service.close();
});

async function read(topic: string, take: (value: string, headers: Record<string, string>) => void): Promise<void> {
  const consumer = await kafka.startConsumer({
    groupId: `reader-${topic}-${process.pid}`,
    topic,
    onBatch: (batch) => {
      for (const message of batch.messages) {
        const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value)]);
        take(message.value?.toString('utf8') ?? '', Object.fromEntries(headers) as Record<string, string>);
        batch.resolve(message.offset);
      }
      return Promise.resolve();
    },
  });
  closing.push(consumer.close);
}

function send(value: unknown, key = 'any'): Promise<void> {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return producer.send(topics.requests, [{ key: Buffer.from(key), value: Buffer.from(text), headers: {} }]);
}

async function findByNumber(to: string): Promise<Call> {
  return waitUntil(`a call to ${to}`, async () => {
    const { calls } = await service.get<{ calls: Call[] }>(`/calls?to=${encodeURIComponent(to)}`);
    return calls[0];
  });
}

test('a call posted over HTTP is made, and its whole story stands in the record and on Kafka, in order', async () => {
  const accepted = await service.place({ to: '+966501000001' });
  expect(accepted).toMatchObject({ status: 'PENDING', attempts: 0, payload: { to: '+966501000001' } });
  const call = await service.untilFinal(accepted.id);
  expect(call).toMatchObject({ status: 'COMPLETED', attempts: 1, lastError: null });

  const [attempt] = await service.attempts(call.id);
  expect(attempt).toMatchObject({ number: 1, outcome: 'COMPLETED', externalCallId: call.externalCallId });
  const timeline = await service.events(call.id);
  expect(timeline.map((event) => event.type)).toEqual([
    'call.accepted',
    'attempt.started',
    'attempt.ended',
    'call.completed',
  ]);
  const onKafka = () => events.filter((event) => event.callId === call.id);
  await waitUntil('events on Kafka', () => onKafka().length >= timeline.length);
  expect(onKafka()).toEqual(timeline);
  expect(timeline.at(-1)?.call).toEqual(call);
});

test('a message on Kafka becomes a call the same way; one request is one call; a busy number is told', async () => {
  const to = '+966501000002';
  await send({ to, scriptId: 'fromKafka', metadata: { order: 7 }, requestId: 'order-7' });
  await send({ to, scriptId: 'fromKafka', metadata: { order: 7 }, requestId: 'order-7' });
  await send({ to, scriptId: 'other', requestId: 'order-8' });
  const { id } = await findByNumber(to);

  const rejected = (requestId: string) =>
    events.find((event): event is CallRejectedEvent => event.type === 'call.rejected' && event.requestId === requestId);
  await waitUntil('both rejected', () => rejected('order-7') !== undefined && rejected('order-8') !== undefined);
  expect(rejected('order-7')).toMatchObject({ reason: 'DUPLICATE_REQUEST', activeCallId: id });
  expect(rejected('order-8')).toMatchObject({ reason: 'NUMBER_BUSY', activeCallId: id });
  expect(await service.untilFinal(id)).toMatchObject({ status: 'COMPLETED', payload: { metadata: { order: 7 } } });
});

test('a bad message goes to the dead letters as it came, with its reason; what follows goes on', async () => {
  await send('{bad');
  await send({ to: '911', scriptId: 'x' });
  await send({ to: '+966501000003', scriptId: 'afterPoison' });
  expect(await service.untilFinal((await findByNumber('+966501000003')).id)).toMatchObject({ status: 'COMPLETED' });
  await waitUntil('two dead letters', () => deadLetters.length >= 2);
  expect(deadLetters.map(({ value, headers }) => [value, headers['dlq.code'], headers['dlq.topic']])).toEqual([
    ['{bad', 'INVALID_JSON', topics.requests],
    ['{"to":"911","scriptId":"x"}', 'INVALID_REQUEST', topics.requests],
  ]);
});

test('a number is busy for both doors alike', async () => {
  const to = '+966501000004';
  const { id } = await service.place({ to });
  const refused = await service.post('/calls', { to, scriptId: 'x' });
  expect(refused.status).toBe(409);
  expect(await refused.json()).toMatchObject({ error: 'Call already in progress to this number', activeCallId: id });
  await service.untilFinal(id);
});

test('a canceled live call is hung up at the provider', async () => {
  const { id } = await service.place({ to: '+966501000005' });
  await waitUntil('on the line', async () => (await service.call(id)).externalCallId !== null);
  const canceled = await service.post(`/calls/${id}/cancel`);
  expect(await canceled.json()).toMatchObject({ id, status: 'CANCELED' });
  await waitUntil('hung up', async () => (await service.attempts(id))[0]?.outcome === 'CANCELED');
  expect((await service.post(`/calls/${id}/cancel`)).status).toBe(409);

  const retried = await service.post(`/calls/${id}/retry`);
  expect(await retried.json()).toMatchObject({ id, status: 'PENDING', attempts: 0 });
  expect(await service.untilFinal(id)).toMatchObject({ status: 'COMPLETED', attempts: 1 });
});

test('every log line of a call names it, and none shows its number', () => {
  for (const role of ['api', 'worker', 'bridge', 'provider'] as const) {
    expect(service.output(role)).not.toMatch(/\+9665010000\d\d/);
  }
  const lines = service
    .output('worker')
    .split('\n')
    .filter((line) => line.includes('on the line'));
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(JSON.parse(line)).toHaveProperty('callId');
});

test('each process ends with 0 on SIGTERM', async () => {
  expect(await service.stop()).toEqual([0, 0, 0, 0]);
}, 35_000);
