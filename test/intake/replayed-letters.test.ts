import type { Consumer } from '../../src/events/broker';
import { canBeReplayed, readDeadLetters, replayDeadLetters, type DeadLetter } from '../../src/intake/dead-letter-box';
import { startKafkaRequests } from '../../src/intake/kafka-requests';
import { createLog } from '../../src/log';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { createTestKafka, type TestKafka } from '../support/kafka';
import { waitUntil } from '../support/wait-until';

let kafka: TestKafka;
let database: TestDatabase;
let consumer: Consumer | undefined;

beforeEach(async () => {
  [kafka, database] = await Promise.all([createTestKafka(), createTestDatabase()]);
});
afterEach(async () => {
  await stopBridge();
  await Promise.all([kafka.close(), database.drop()]);
});

async function startBridge(allowedCountries?: 'SA'[]): Promise<void> {
  consumer = await startKafkaRequests({
    db: database.db,
    config: { ...kafka.config, ALLOWED_COUNTRIES: allowedCountries },
    broker: kafka.broker,
    starter: { handOffSoon: () => undefined, startsWithinSeconds: 0 },
    log: createLog('test', 'silent'),
    topics: kafka.topics,
  });
}

async function stopBridge(): Promise<void> {
  await consumer?.close();
  consumer = undefined;
}

async function lettersThere(): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for await (const letter of readDeadLetters(kafka.broker, kafka.topics.deadLetters)) letters.push(letter);
  return letters;
}

async function replay(letters: readonly DeadLetter[]): Promise<void> {
  const producer = kafka.broker.producer();
  await replayDeadLetters(producer, kafka.topics.requests, letters);
  await producer.close();
}

const calls = () => database.db.selectFrom('calls').select(['id', 'to_number']).execute();
const rejections = () =>
  database.db.selectFrom('call_events').select('id').where('type', '=', 'call.rejected').execute();
const swiss = JSON.stringify({ to: '+41446681800', scriptId: 's' });
const saudi = (number: number) => JSON.stringify({ to: `+96650${String(2_000_000 + number)}`, scriptId: 's' });

test('a topic without letters is read at once', async () => {
  expect(await lettersThere()).toEqual([]);
});

test('a letter that is sent again once what it was refused for is mended makes its call, and however often no second', async () => {
  const headers = { trace: 'abc' };
  await kafka.send(kafka.topics.requests, [{ key: 'k', value: swiss, headers }]);
  await startBridge(['SA']);
  const [letter] = await waitUntil('the letter', async () => {
    const letters = await lettersThere();
    return letters.length === 1 && letters;
  });
  expect(letter).toMatchObject({ code: 'INVALID_REQUEST', headers: { trace: Buffer.from('abc') } });
  expect(letter!.reason).toMatch(/^to /);
  expect([letter!.key?.toString(), letter!.value?.toString()]).toEqual(['k', swiss]);
  expect(letter!.from).toMatch(new RegExp(`^${kafka.topics.requests}/\\d+/0$`));
  await stopBridge();

  await replay([letter!]);
  // A message that was delivered twice before its offset was committed has left two letters.
  await replay([letter!, { ...letter!, place: letter!.place.replace(/\d+$/, '7') }]);
  await kafka.send(kafka.topics.requests, [{ key: 'k', value: saudi(1) }]);
  await startBridge();
  // Of the same key, so after the three.
  await waitUntil(
    'what follows',
    async () => (await calls()).some(({ to_number }) => to_number === '+966502000001'),
    30,
  );
  expect((await calls()).filter(({ to_number }) => to_number === '+41446681800')).toHaveLength(1);
  expect(await rejections()).toEqual([]);
});

test('one that is refused again is a new letter, and one whose number is busy can be sent again later', async () => {
  await kafka.send(kafka.topics.requests, [{ key: 'k', value: swiss }]);
  await startBridge(['SA']);
  const refused = await waitUntil('the letter', async () => (await lettersThere())[0]);
  await replay([refused]);
  const [, again] = await waitUntil('a second letter', async () => {
    const letters = await lettersThere();
    return letters.length === 2 && letters;
  });
  expect(again).toMatchObject({ code: 'INVALID_REQUEST', value: refused.value, headers: {} });
  await stopBridge();

  await startBridge();
  await kafka.send(kafka.topics.requests, [{ key: 'k', value: swiss }]);
  const [busy] = await waitUntil('another call to the number', async () => {
    const rows = await calls();
    return rows.length === 1 && rows;
  });
  await replay([again!]);
  await waitUntil('it is told that the number is busy', async () => (await rejections()).length === 1);
  await database.db.updateTable('calls').set({ status: 'CANCELED' }).where('id', '=', busy!.id).execute();
  await replay([again!]);
  await waitUntil('its call', async () => (await calls()).length === 2);
});

test('what its sender never sent cannot be sent again', () => {
  const letter = {
    place: 't/0/1',
    key: null,
    headers: {},
    reason: '',
    at: '',
    from: 'r/0/1',
    origin: 'r/0/1',
    code: 'INVALID_JSON',
  };
  expect(canBeReplayed({ ...letter, value: Buffer.from('{') })).toBe(true);
  expect(canBeReplayed({ ...letter, value: null })).toBe(false);
  expect(canBeReplayed({ ...letter, value: Buffer.from('x'), code: 'UNDECODABLE' })).toBe(false);
});
