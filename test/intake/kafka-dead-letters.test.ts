import { randomBytes } from 'node:crypto';

import { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel, type IHeaders } from 'kafkajs';

import type { Consumer, OutgoingMessage } from '../../src/events/broker';
import { decompressors, unfailing } from '../../src/events/record-codecs';
import { startKafkaRequests } from '../../src/intake/kafka-requests';
import { createLog } from '../../src/log';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { createTestKafka, type TestKafka } from '../support/kafka';
import { waitUntil } from '../support/wait-until';

let kafka: TestKafka;
let database: TestDatabase;
let consumer: Consumer | undefined;
let numbers = 0;

beforeEach(async () => {
  [kafka, database] = await Promise.all([createTestKafka(), createTestDatabase()]);
});

afterEach(async () => {
  await consumer?.close();
  consumer = undefined;
  await Promise.all([kafka.close(), database.drop()]);
});

async function startBridge(): Promise<void> {
  consumer = await startKafkaRequests({
    db: database.db,
    config: kafka.config,
    broker: kafka.broker,
    starter: { handOffSoon: () => undefined, startsWithinSeconds: 0 },
    log: createLog('test', 'silent'),
    topics: kafka.topics,
  });
}

const valid = (): OutgoingMessage => ({
  key: 'k',
  value: JSON.stringify({ to: `+96650${1_000_000 + numbers++}`, scriptId: 's' }),
});

const text = (value: unknown) => (Buffer.isBuffer(value) ? value.toString() : value);
const countCalls = async () => (await database.db.selectFrom('calls').select('id').execute()).length;

const poison: [what: string, value: Buffer | string | null, code: string][] = [
  ['broken JSON', '{bad', 'INVALID_JSON'],
  ['an empty value', '', 'INVALID_JSON'],
  ['no value', null, 'INVALID_JSON'],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22]), 'INVALID_JSON'],
  ['an array', '[]', 'INVALID_REQUEST'],
  ['null', 'null', 'INVALID_REQUEST'],
  ['a string', '"x"', 'INVALID_REQUEST'],
  ['an unknown field', '{"to":"+966501234567","scriptId":"s","status":"PENDING"}', 'INVALID_REQUEST'],
  ['__proto__', '{"to":"+966501234567","scriptId":"s","__proto__":{}}', 'INVALID_REQUEST'],
  ['a bad number', '{"to":"911","scriptId":"s"}', 'INVALID_REQUEST'],
  ['a priority that is none', '{"to":"+966501234567","scriptId":"s","priority":9}', 'INVALID_REQUEST'],
  ['an empty requestId', '{"to":"+966501234567","scriptId":"s","requestId":""}', 'INVALID_REQUEST'],
  ['1 MB', JSON.stringify({ to: '+966501234567', scriptId: 'x'.repeat(1_000_000) }), 'PAYLOAD_TOO_LARGE'],
  ['1 MB that does not compress', randomBytes(1_000_000), 'PAYLOAD_TOO_LARGE'],
];

test('poison goes to the dead letters byte for byte, and what follows goes on', async () => {
  const sent: OutgoingMessage[] = poison.map(([what, value], index) => ({
    key: index % 2 === 0 ? 'k' : Buffer.from([0, 255, index]),
    value,
    headers: { what, trace: [Buffer.from([1, 2]), 'twice'] },
  }));
  const letters = await kafka.collect(kafka.topics.deadLetters);
  for (const message of sent) await kafka.send(kafka.topics.requests, [message, valid()]);
  await startBridge();

  await waitUntil('all dead letters', () => letters.length === poison.length, 30);
  await waitUntil('all calls', async () => (await countCalls()) === poison.length);
  for (const [index, [what, value, code]] of poison.entries()) {
    const letter = letters.find(({ headers }) => text(headers['what']) === what);
    if (value === null) expect(letter?.value).toBeNull();
    else expect(letter?.value?.equals(Buffer.from(value))).toBe(true);
    expect(letter?.key).toEqual(Buffer.from(sent[index]?.key ?? ''));
    expect(letter?.headers['trace']).toEqual([Buffer.from([1, 2]), Buffer.from('twice')]);
    expect(text(letter?.headers['dlq.code'])).toBe(code);
    expect(text(letter?.headers['dlq.reason'])).toMatch(/\w/);
    expect(text(letter?.headers['dlq.topic'])).toBe(kafka.topics.requests);
    expect(text(letter?.headers['dlq.partition'])).toMatch(/^\d$/);
    expect(text(letter?.headers['dlq.offset'])).toMatch(/^\d+$/);
    expect(Date.parse(String(letter?.headers['dlq.at']))).not.toBeNaN();
  }
}, 60_000);

test('what is too large for the dead letter topic leaves word of where it is, and does not block', async () => {
  const admin = new Kafka({ brokers: kafka.config.KAFKA_BROKERS, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: ConfigResourceTypes.TOPIC,
        name: kafka.topics.deadLetters,
        configEntries: [{ name: 'max.message.bytes', value: '100000' }],
      },
    ],
  });
  await admin.disconnect();
  const letters = await kafka.collect(kafka.topics.deadLetters);
  const compressible = Buffer.from('x'.repeat(200_000));
  await kafka.send(kafka.topics.requests, [
    { key: 'k', value: compressible },
    { key: 'k', value: randomBytes(200_000) },
    valid(),
  ]);
  await startBridge();

  await waitUntil('both dead letters', () => letters.length === 2, 30);
  await waitUntil('the call', async () => (await countCalls()) === 1);
  expect(letters[0]?.value).toEqual(compressible);
  expect(letters[1]?.value).toBeNull();
  expect(text(letters[1]?.headers['dlq.offset'])).toBe('1');
  expect(text(letters[1]?.headers['dlq.reason'])).toContain('see the original');
});

test('a batch whose compression cannot be read goes to the dead letters whole, and what follows goes on', async () => {
  const readable = CompressionCodecs[CompressionTypes.GZIP];
  const lacking = unfailing('gzip', () => {
    throw new Error('no such codec here');
  });
  const writer = new Kafka({ brokers: kafka.config.KAFKA_BROKERS, logLevel: logLevel.NOTHING }).producer();
  await writer.connect();
  const letters = await kafka.collect(kafka.topics.deadLetters);
  try {
    await kafka.send(kafka.topics.requests, [valid()]);
    await writer.send({
      topic: kafka.topics.requests,
      compression: CompressionTypes.GZIP,
      messages: [valid(), valid(), valid()] as { key: string; value: string; headers?: IHeaders }[],
    });
    await kafka.send(kafka.topics.requests, [valid()]);
    CompressionCodecs[CompressionTypes.GZIP] = () => ({ decompress: lacking });
    await startBridge();

    await waitUntil('the dead letter', () => letters.length === 1);
    await waitUntil('the calls before and after', async () => (await countCalls()) === 2);
  } finally {
    CompressionCodecs[CompressionTypes.GZIP] = readable;
    await writer.disconnect();
  }
  expect(text(letters[0]?.headers['dlq.code'])).toBe('UNDECODABLE');
  expect(text(letters[0]?.headers['dlq.reason'])).toBe(
    'a batch of 3 messages compressed with gzip cannot be read: no such codec here',
  );
  expect(text(letters[0]?.headers['dlq.offset'])).toBe('1');
  const records = await decompressors.gzip(letters[0]?.value ?? Buffer.alloc(0));
  expect(records.toString('latin1').match(/scriptId/g)).toHaveLength(3);
});
