import { randomBytes } from 'node:crypto';

import { readConfig } from '../../src/config';
import { startRelay } from '../../src/events/relay';
import { startKafkaRequests } from '../../src/intake/kafka-requests';
import { createLog } from '../../src/log';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { createTestKafka, type TestKafka } from '../support/kafka';
import { waitUntil } from '../support/wait-until';

const number = '+966501239876';
const log = createLog('test', 'silent');

let kafka: TestKafka;
let database: TestDatabase;
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  [kafka, database] = await Promise.all([createTestKafka(), createTestDatabase()]);
});
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
  await Promise.all([kafka.close(), database.drop()]);
});

/** Keys on the dead letters and on the events, after poison, a call, and a rejection, all of one number. */
async function keysWith(settings: Record<string, string>) {
  const { PAYLOAD_KEYS, PERSONAL_DATA_IN_KEYS } = readConfig(settings);
  const config = { ...kafka.config, PAYLOAD_KEYS, PERSONAL_DATA_IN_KEYS, DATABASE_URL: database.url };
  const { broker, topics } = kafka;
  const starter = { handOffSoon: () => undefined, startsWithinSeconds: 0 };
  closing.push((await startKafkaRequests({ db: database.db, config, broker, starter, log, topics })).close);
  closing.push(startRelay({ config, broker, log, topic: topics.events }).close);
  const letters = await kafka.collect(topics.deadLetters);
  const events = await kafka.collect(topics.events);
  const request = (requestId: string) => JSON.stringify({ to: number, scriptId: 's', requestId });
  await kafka.send(topics.requests, [
    { key: number, value: '{bad' },
    { key: number, value: 'worse' },
    { key: null, value: 'without a key' },
    { key: number, value: request('first') },
    { key: number, value: request(`again-${number}`) },
  ]);
  await waitUntil('all has come', () => letters.length === 3 && events.length === 2, 60);
  const keyOf = (value: string) => letters.find((letter) => String(letter.value) === value)?.key?.toString() ?? null;
  return {
    letters: ['{bad', 'worse', 'without a key'].map(keyOf),
    events: events.map(({ key }) => String(key)),
  };
}

test('where personal data is withheld from keys, topics of ours have the hash of the same key, and no number', async () => {
  const PAYLOAD_KEYS = `a:${randomBytes(32).toString('base64')}`;
  const { letters, events } = await keysWith({ PERSONAL_DATA_IN_KEYS: 'withheld', PAYLOAD_KEYS });
  expect(letters[0]).toMatch(/^[\w-]{43}$/);
  expect(letters).toEqual([letters[0], letters[0], null]);
  expect(events).toHaveLength(2);
  for (const key of [...letters, ...events]) expect(key ?? '').not.toContain(number.slice(1));
}, 90_000);

test('else keys are as received', async () => {
  const { letters, events } = await keysWith({});
  expect(letters).toEqual([number, number, null]);
  expect(events).toContain(`again-${number}`);
}, 90_000);
