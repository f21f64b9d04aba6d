import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { sql } from 'kysely';

import { createKey } from '../../src/access/keys';
import type { CallEvent, CallRejectedEvent } from '../../src/call/event';
import type { Call } from '../../src/call/call';
import { topics } from '../../src/call/names';
import type { Broker, Producer } from '../../src/events/broker';
import { everyHistory } from '../support/every-history';
import { openBroker } from '../support/kafka';
import { OwnServices } from '../support/own-services';
import { makeSecrets, type Secrets } from '../support/secrets';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

const run = promisify(execFile);
const checkout = join(__dirname, '../..');

/** On brokers of its own: other files' bridges would make calls and dead letters of its messages, too. */
let own: OwnServices;
let secrets: Secrets;
let service: Service;
let kafka: Broker;
let producer: Producer;
const events: (CallEvent | CallRejectedEvent)[] = [];
const deadLetters: { value: string; headers: Record<string, string> }[] = [];
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  own = await OwnServices.open('kafka');
  kafka = await openBroker(own.environment);
  producer = kafka.producer();
  secrets = await makeSecrets();
  service = await Service.open({
    MOCK_SUCCESS_RATE: '1',
    RATE_LIMIT_PER_MINUTE: '0',
    LOG_LEVEL: 'trace',
    ...secrets.settings,
    ...own.environment,
  });
  await service.start('api', 'worker', 'bridge', 'provider');
  await read(topics.events, (value) => events.push(JSON.parse(value) as CallEvent | CallRejectedEvent));
  await read(topics.deadLetters, (value, headers) => deadLetters.push({ value, headers }));
}, 90_000);

afterAll(async () => {
  await Promise.all([producer.close(), ...closing.map((close) => close())]);
  await service.close();
  await secrets.close();
  await own.close();
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

test('the dead letters are listed and sent again by a command; what is refused again is a new letter', async () => {
  const env = { ...process.env, ...own.environment };
  const dlq = (...args: string[]) => run(process.execPath, [join(checkout, 'dist/src/start/dlq.js'), ...args], { env });
  const { stdout: table } = await dlq('list');
  expect(table).toMatch(/^LETTER +AT +CODE +FROM +REASON\n0\/\d+ .* INVALID_JSON +calls\.requests\/\d\/\d+ .*not JSON/);
  const { stdout: json } = await dlq('list', '--json', '--code', 'INVALID_REQUEST');
  const listed = JSON.parse(json) as { letter: string; value: string };
  expect(Buffer.from(listed.value, 'base64').toString()).toBe('{"to":"911","scriptId":"x"}');

  expect((await dlq('replay', listed.letter, '--dry-run')).stdout).toBe('to be sent: 1\n');
  expect(deadLetters).toHaveLength(2);
  expect((await dlq('replay', listed.letter)).stdout).toBe('sent: 1\n');
  await waitUntil('refused again', () => deadLetters.length === 3);
  expect(deadLetters[2]).toMatchObject({
    value: '{"to":"911","scriptId":"x"}',
    headers: { 'dlq.code': 'INVALID_REQUEST' },
  });

  await expect(dlq('replay')).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('--all') as string });
  await expect(dlq('list', '--since', 'noon')).rejects.toMatchObject({ code: 2 });
  await expect(dlq('replay', '0/999')).rejects.toMatchObject({ code: 1, stderr: '0/999: no such letter\n' });
}, 60_000);

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

test('no secret is told: in no line, answer, event, dead letter, row or history', async () => {
  const { text: key } = await createKey(service.database.db, { name: 'told to nobody', access: 'write' });
  const answers = await provokedAnswers(key);
  await secrets.cutRedis();
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`.execute(service.database.db);
  const { id } = await waitUntil('it goes on', () => service.place({ to: '+966501000006' }).catch(() => undefined));
  await service.untilFinal(id);

  const histories = await waitUntil('its history can be found', async () => {
    const { text } = await everyHistory(service.namespace.client);
    return text.includes(id) ? text : undefined;
  });
  await waitUntil('its end on Kafka', () =>
    events.some((event) => event.callId === id && event.type === 'call.completed'),
  );
  const places: [string, string][] = [
    ...(['api', 'worker', 'bridge', 'provider'] as const).map((role): [string, string] => [role, service.output(role)]),
    ['answers', answers],
    ['events', JSON.stringify(events)],
    ['dead letters', JSON.stringify(deadLetters)],
    ['rows', await everyRow()],
    ['histories', histories],
  ];
  const words = [...secrets.words, key.slice(-43)];
  expect(
    places.flatMap(([place, text]) => words.filter((word) => text.includes(word)).map((word) => [place, word])),
  ).toEqual([]);
  // What is there is found.
  const found = places.filter(([, text]) => text.includes(id)).map(([place]) => place);
  expect(found).toEqual(expect.arrayContaining(['api', 'worker', 'events', 'rows', 'histories']));
}, 120_000);

/** What those are told who send secrets that are good, and such as are nearly. */
async function provokedAnswers(key: string): Promise<string> {
  const admin = secrets.settings['ADMIN_API_KEY'] ?? '';
  const as = (text: string) => ({ headers: { Authorization: `Bearer ${text}` } });
  const signed = { 'X-Webhook-Signature': 'sha256=00', 'X-Webhook-Timestamp': String(Math.round(Date.now() / 1_000)) };
  const answers = await Promise.all([
    service.request('/calls', as(key)),
    service.request('/calls?status=x', as(admin)),
    service.request('/calls', as(`${admin}x`)),
    service.request('/calls', as(key.slice(0, -1))),
    service.post('/codec/decode', { payloads: [] }, as(key).headers),
    service.post('/calls', { to: '911' }, as(key).headers),
    service.post('/callbacks/call-status', { callId: 'x' }, signed),
    ...['/ready', '/metrics', '/openapi.json', '/docs', '/unknown'].map((path) => service.request(path)),
  ]);
  expect(answers.map(({ status }) => status).slice(0, 7)).toEqual([200, 400, 401, 401, 403, 400, 401]);
  const texts = answers.map(async (answer) => `${JSON.stringify([...answer.headers])}\n${await answer.text()}`);
  return (await Promise.all(texts)).join('\n');
}

/** Of every table, as PostgreSQL writes them. */
async function everyRow(): Promise<string> {
  const { db } = service.database;
  const tables = await sql<{
    name: string;
  }>`select tablename as name from pg_tables where schemaname = 'public'`.execute(db);
  const texts = tables.rows.map(async ({ name }) => {
    const { rows } = await sql<{ row: string }>`select ${sql.id(name)}::text as row from ${sql.table(name)}`.execute(
      db,
    );
    return rows.map(({ row }) => row).join('\n');
  });
  return (await Promise.all(texts)).join('\n');
}

test('each process ends with 0 on SIGTERM', async () => {
  expect(await service.stop()).toEqual([0, 0, 0, 0]);
}, 35_000);
