import { randomUUID } from 'node:crypto';

import { sql } from 'kysely';

import type { Broker, OutgoingMessage, ReceivedMessage } from '../../src/events/broker';
import { openKafka } from '../../src/events/kafka';
import { startRelay, type Relay } from '../../src/events/relay';
import { acceptCalls } from '../../src/intake/accept-call';
import { cancelCall, editCall } from '../../src/intake/change-call';
import { createLog } from '../../src/log';
import { appendRejection, listEvents } from '../../src/store/call-events';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { createTestKafka, type TestKafka } from '../support/kafka';
import { Toxiproxy } from '../support/toxiproxy';
import { waitUntil } from '../support/wait-until';

let kafka: TestKafka;
let database: TestDatabase;
let relays: Relay[];
let numbers = 0;

beforeEach(async () => {
  [kafka, database] = await Promise.all([createTestKafka(), createTestDatabase()]);
  relays = [];
});

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.close()));
  await Promise.all([kafka.close(), database.drop()]);
});

function start(broker: Broker = kafka.broker): Relay {
  const config = { ...kafka.config, DATABASE_URL: database.url };
  const relay = startRelay({ config, broker, log: createLog('test', 'silent'), topic: kafka.topics.events });
  relays.push(relay);
  return relay;
}

/** Calls with three events each: accepted, edited, canceled. */
async function makeEvents(calls: number): Promise<string[]> {
  const incoming = Array.from({ length: calls }, () => ({
    request: { to: `+96650${1_000_000 + numbers++}`, scriptId: 's' },
    requestKey: null,
    source: null,
  }));
  const ids: string[] = [];
  for (const answer of await acceptCalls(database.db, kafka.config, incoming)) {
    if (answer.kind !== 'ACCEPTED') throw new Error(answer.kind);
    ids.push(answer.row.id);
  }
  for (const id of ids) await editCall(database.db, id, { scriptId: 'edited' });
  for (const id of ids) await cancelCall(database.db, id);
  return ids;
}

const countUnpublished = async () => {
  const { count } = await database.db
    .selectFrom('outbox')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
};

const eventsOf = (messages: readonly ReceivedMessage[], key: string) =>
  messages
    .filter((message) => String(message.key) === key)
    .map((message) => JSON.parse(String(message.value)) as { sequence: number; eventId: string; type: string });

/** A broker whose producer does something else with the first sends. */
function brokerWith(send: (topic: string, messages: readonly OutgoingMessage[]) => Promise<void>): Broker {
  return { ...kafka.broker, producer: () => ({ ...kafka.broker.producer(), send }) };
}

test('events arrive as the timeline has them, in order for each call, once', async () => {
  const ids = await makeEvents(50);
  const messages = await kafka.collect(kafka.topics.events);
  start();
  await waitUntil('all events', () => messages.length >= 150);
  await waitUntil('all marked', async () => (await countUnpublished()) === 0);

  expect(messages).toHaveLength(150);
  for (const id of ids) {
    const events = eventsOf(messages, id);
    expect(events).toEqual(JSON.parse(JSON.stringify(await listEvents(database.db, id))));
    expect(events.map(({ type }) => type)).toEqual(['call.accepted', 'call.updated', 'call.canceled']);
  }
  const [first] = messages;
  const { eventId, type } = JSON.parse(String(first?.value)) as { eventId: string; type: string };
  expect([String(first?.headers['event.id']), String(first?.headers['event.type'])]).toEqual([eventId, type]);
});

test('an event that comes while the relay sleeps wakes it', async () => {
  start();
  for (let round = 0; round < 3; round++) {
    await waitUntil('the relay to sleep', async () => {
      const { rows } = await sql`select from pg_locks join pg_database on pg_database.oid = pg_locks.database
        where datname = current_database() and locktype = 'advisory' and objid = 728302`.execute(database.db);
      return rows.length > 0;
    });
    await makeEvents(1);
    // It would look by itself only after five seconds.
    await waitUntil('all marked', async () => (await countUnpublished()) === 0, 2);
  }
});

test('a rejection is keyed by its requestId', async () => {
  const activeCallId = randomUUID();
  await appendRejection(database.db, 'calls.requests/0/7', { requestId: 'r-1', reason: 'NUMBER_BUSY', activeCallId });
  const messages = await kafka.collect(kafka.topics.events);
  start();
  await waitUntil('the event', () => messages.length === 1);
  expect(eventsOf(messages, 'r-1')).toEqual([
    {
      eventId: expect.any(String) as string,
      callId: null,
      sequence: 1,
      type: 'call.rejected',
      at: expect.any(String) as string,
      requestId: 'r-1',
      reason: 'NUMBER_BUSY',
      activeCallId,
    },
  ]);
});

test('a relay that dies after sending and before marking loses nothing; its successor sends again', async () => {
  const [id = ''] = await makeEvents(1);
  const messages = await kafka.collect(kafka.topics.events);
  const producer = kafka.broker.producer();
  const dying = start(
    brokerWith(async (topic, outgoing) => {
      await producer.send(topic, outgoing);
      // The connection that would mark them breaks, as it does when the process dies.
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name like '%relay%'`.execute(database.db);
    }),
  );
  await waitUntil('the first sending', () => messages.length >= 3);
  await dying.close();
  expect(await countUnpublished()).toBe(3);

  start();
  await waitUntil('all marked', async () => (await countUnpublished()) === 0);
  await waitUntil('the second sending', () => messages.length >= 6);
  const ids = eventsOf(messages, id).map(({ eventId }) => eventId);
  expect(new Set(ids).size).toBe(3);
  await producer.close();
});

test('of two relays one leads, and the other takes over when it goes', async () => {
  const sentBy: string[] = [];
  const producer = kafka.broker.producer();
  const named = (name: string) =>
    brokerWith((topic, outgoing) => {
      sentBy.push(...outgoing.map(() => name));
      return producer.send(topic, outgoing);
    });
  const first = start(named('first'));
  await makeEvents(1);
  await waitUntil('the first to lead', async () => (await countUnpublished()) === 0);
  start(named('second'));
  await makeEvents(20);
  await waitUntil('all marked', async () => (await countUnpublished()) === 0);
  expect(new Set(sentBy)).toEqual(new Set(['first']));

  await first.close();
  await makeEvents(1);
  await waitUntil('the second to take over', async () => (await countUnpublished()) === 0);
  expect(sentBy.filter((name) => name === 'second')).toHaveLength(3);
  expect(sentBy).toHaveLength(66);
  await producer.close();
});

test('events wait while Kafka cannot be reached, and leave when it can', async () => {
  const toxiproxy = await Toxiproxy.open();
  const proxy = await toxiproxy.to(kafka.config.KAFKA_BROKERS[0]!);
  await proxy.cut();
  const behindProxy = openKafka({ KAFKA_BROKERS: [proxy.address] }, createLog('test', 'silent'));
  const messages = await kafka.collect(kafka.topics.events);
  let failures = 0;
  const producer = behindProxy.producer();
  const relay = start(
    brokerWith(async (topic, outgoing) => {
      try {
        await producer.send(topic, outgoing);
      } catch (error) {
        failures++;
        throw error;
      }
    }),
  );
  await makeEvents(2);
  await waitUntil('tries without Kafka', () => failures >= 2, 20);
  expect(await countUnpublished()).toBe(6);

  await proxy.restore();
  await waitUntil('all marked', async () => (await countUnpublished()) === 0, 30);
  await waitUntil('all events', () => messages.length === 6);
  await relay.close();
  await producer.close();
  await toxiproxy.close();
}, 60_000);
