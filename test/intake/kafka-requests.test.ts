import { sql } from 'kysely';

import { startKafkaRequests } from '../../src/intake/kafka-requests';
import { createLog } from '../../src/log';
import type { Consumer } from '../../src/events/broker';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { createTestKafka, type TestKafka } from '../support/kafka';
import { Toxiproxy } from '../support/toxiproxy';
import { waitUntil } from '../support/wait-until';
import { openDatabase } from '../../src/store/database';

let kafka: TestKafka;
let database: TestDatabase;
let consumers: Consumer[];
let handedOff: string[];
let numbers = 0;

beforeEach(async () => {
  [kafka, database] = await Promise.all([createTestKafka(), createTestDatabase()]);
  consumers = [];
  handedOff = [];
});

afterEach(async () => {
  await Promise.all(consumers.map((consumer) => consumer.close()));
  await Promise.all([kafka.close(), database.drop()]);
});

async function startBridge(groupId = kafka.config.KAFKA_GROUP_ID, db = database.db): Promise<Consumer> {
  const consumer = await startKafkaRequests({
    db,
    config: { ...kafka.config, KAFKA_GROUP_ID: groupId },
    broker: kafka.broker,
    starter: { handOffSoon: (...rows) => handedOff.push(...rows.map(({ id }) => id)), startsWithinSeconds: 0 },
    log: createLog('test', 'silent'),
    topics: kafka.topics,
  });
  consumers.push(consumer);
  return consumer;
}

function freshNumber(): string {
  return `+96650${String(1_000_000 + numbers++)}`;
}

const message = (body: object, key: string | null = null) => ({ key, value: JSON.stringify(body) });

const listCalls = () => database.db.selectFrom('calls').selectAll().orderBy('seq').execute();
const listRejections = async () => {
  const rows = await database.db.selectFrom('call_events').selectAll().where('call_id', 'is', null).execute();
  return rows.map((row) => ({ source: row.source, ...row.body }));
};

describe('a message on calls.requests', () => {
  test('becomes a call, which is handed to Temporal', async () => {
    const to = freshNumber();
    await kafka.send(kafka.topics.requests, [
      message({ to, scriptId: 'testScript', metadata: { a: 1 }, priority: 2, requestId: 'r-1' }, to),
    ]);
    await startBridge();

    const [call] = await waitUntil('the call', async () => {
      const calls = await listCalls();
      return calls.length > 0 && calls;
    });
    expect(call).toMatchObject({
      to_number: to,
      script_id: 'testScript',
      metadata: { a: 1 },
      priority: 2,
      request_key: 'kafka:r-1',
    });
    expect(call?.source).toMatch(new RegExp(`^${kafka.topics.requests}/\\d/0$`));
    await waitUntil('the handoff', () => handedOff.includes(call?.id ?? ''));
  });

  test('delivered again makes no second call, and is not told of again', async () => {
    const [busy, free] = [freshNumber(), freshNumber()];
    await kafka.send(kafka.topics.requests, [
      message({ to: busy, scriptId: 's' }, busy),
      message({ to: busy, scriptId: 's' }, busy),
      message({ to: free, scriptId: 's' }, free),
    ]);
    const first = await startBridge();
    await waitUntil('both calls and the rejection', async () => {
      return (await listCalls()).length === 2 && (await listRejections()).length === 1;
    });
    await first.close();
    // The number is free by now: what was rejected stays rejected all the same.
    await database.db.updateTable('calls').set({ status: 'COMPLETED' }).execute();

    await startBridge(`${kafka.config.KAFKA_GROUP_ID}-again`);
    const marker = freshNumber();
    for (let partition = 0; partition < 60; partition++) {
      await kafka.send(kafka.topics.requests, [message({ to: marker, scriptId: 'marker' }, `key-${partition}`)]);
    }
    // One of each partition's markers was read: so was all before it.
    await waitUntil(
      'all markers',
      async () => (await listCalls()).length === 3 && (await listRejections()).length === 60,
    );
    expect((await listCalls()).map((call) => call.to_number).sort()).toEqual([busy, free, marker].sort());
  });

  test('with a requestId that came before makes no second call and is told as a duplicate', async () => {
    const to = freshNumber();
    const body = { to, scriptId: 's', requestId: 'same' };
    await kafka.send(kafka.topics.requests, [
      message(body, 'k'),
      message(body, 'k'),
      message({ ...body, scriptId: 'another' }, 'k'),
    ]);
    await startBridge();

    const rejections = await waitUntil('both rejections', async () => {
      const told = await listRejections();
      return told.length === 2 && told;
    });
    const calls = await listCalls();
    expect(calls).toHaveLength(1);
    expect(rejections).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ reason: 'DUPLICATE_REQUEST', requestId: 'same', activeCallId: calls[0]?.id }),
        expect.objectContaining({ reason: 'IDEMPOTENCY_KEY_REUSED', requestId: 'same' }),
      ]),
    );
  });

  test('to a number that is being called is told with the call that occupies it', async () => {
    const to = freshNumber();
    await kafka.send(kafka.topics.requests, [
      message({ to, scriptId: 's' }, to),
      message({ to, scriptId: 's', requestId: 'second' }, to),
    ]);
    await startBridge();

    const [rejection] = await waitUntil('the rejection', async () => {
      const told = await listRejections();
      return told.length > 0 && told;
    });
    const [call, ...others] = await listCalls();
    expect(others).toEqual([]);
    expect(rejection).toMatchObject({ reason: 'NUMBER_BUSY', requestId: 'second', activeCallId: call?.id });
  });

  test('waits while PostgreSQL is away, and is not skipped', async () => {
    const server = new URL(database.url);
    const toxiproxy = await Toxiproxy.open();
    const proxy = await toxiproxy.to(server.host);
    await proxy.cut();
    server.host = proxy.address;
    const db = openDatabase(server.href, { poolSize: 2, onIdleError: () => undefined });
    try {
      const refused = jest.spyOn(db, 'selectFrom');
      await kafka.send(kafka.topics.requests, [
        { key: 'k', value: '{bad' },
        message({ to: freshNumber(), scriptId: 's' }, 'k'),
      ]);
      await startBridge(undefined, db);
      await waitUntil('tries without PostgreSQL', () => refused.mock.calls.length >= 3);
      expect(await listCalls()).toEqual([]);

      await proxy.restore();
      await waitUntil('the call', async () => (await listCalls()).length === 1);
    } finally {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close()));
      await db.destroy();
      await toxiproxy.close();
    }
  });

  test('that PostgreSQL refuses does not take its neighbours with it', async () => {
    await sql`alter table calls add constraint unforeseen check (script_id <> 'cursed')`.execute(database.db);
    const letters = await kafka.collect(kafka.topics.deadLetters);
    await kafka.send(
      kafka.topics.requests,
      ['a', 'cursed', 'b'].map((scriptId) => message({ to: freshNumber(), scriptId }, 'k')),
    );
    await startBridge();

    await waitUntil('the dead letter', () => letters.length === 1);
    expect(String(letters[0]?.headers['dlq.code'])).toBe('INTERNAL_ERROR');
    expect((await listCalls()).map((call) => call.script_id)).toEqual(['a', 'b']);
  });
});

describe('bridges', () => {
  test('that join in the middle of 1,000 messages lose none and make none twice', async () => {
    const bodies = Array.from({ length: 1_000 }, (_, index) =>
      message({ to: freshNumber(), scriptId: 's', requestId: `r-${index}` }, `key-${index}`),
    );
    await kafka.send(kafka.topics.requests, bodies.slice(0, 400));
    await startBridge();
    await waitUntil('the first calls', async () => (await listCalls()).length > 0);
    await kafka.send(kafka.topics.requests, bodies.slice(400, 700));
    const second = await startBridge();
    await kafka.send(kafka.topics.requests, bodies.slice(700));
    await waitUntil('all calls', async () => (await listCalls()).length >= 1_000, 60);
    await second.close();

    expect(new Set((await listCalls()).map((call) => call.request_key)).size).toBe(1_000);
    expect(await listCalls()).toHaveLength(1_000);
    expect(await listRejections()).toEqual([]);
  }, 90_000);
});

describe('messages of several partitions', () => {
  test('do not wait for one whose number another transaction holds', async () => {
    const held = freshNumber();
    const sent = await kafka.collect(kafka.topics.requests);
    await kafka.send(kafka.topics.requests, [message({ to: freshNumber(), scriptId: 'first' }, 'first')]);
    await startBridge();
    await waitUntil('a call of a bridge that has joined', async () => (await listCalls()).length === 1);
    const others = Array.from({ length: 30 }, (_, index) =>
      message({ to: freshNumber(), scriptId: 'other' }, `key-${index}`),
    );
    await database.db.transaction().execute(async (trx) => {
      await sql`insert into calls (id, to_number, script_id, max_attempts, expires_at)
        values (gen_random_uuid(), ${held}, 'undecided', 3, now() + interval '1 day')`.execute(trx);
      await kafka.send(kafka.topics.requests, [message({ to: held, scriptId: 'held' }, 'held'), ...others]);
      await waitUntil('all messages on the topic', () => sent.length === 32);
      const heldPartition = sent.find(({ key }) => String(key) === 'held')?.partition;
      const elsewhere = sent.filter(({ partition }) => partition !== heldPartition).length;
      expect(elsewhere).toBeGreaterThan(0);
      await waitUntil('the calls of the other partitions', async () => (await listCalls()).length >= elsewhere);
      await sql`delete from calls where script_id = 'undecided'`.execute(trx);
    });
    await waitUntil('all calls', async () => (await listCalls()).length === 32);
  });

  test('that ask for the same numbers at once make one call a number, and the others are told of it', async () => {
    const asked = Array.from({ length: 300 }, freshNumber);
    const copies = 4;
    for (let copy = 0; copy < copies; copy++) {
      const inOrder = copy % 2 === 0 ? asked : [...asked].reverse();
      await kafka.send(
        kafka.topics.requests,
        inOrder.map((to) => message({ to, scriptId: `copy-${copy}` }, `key-${copy}`)),
      );
    }
    await startBridge();
    await waitUntil('all rejections', async () => (await listRejections()).length === (copies - 1) * asked.length);

    const calls = await listCalls();
    expect(calls.map((call) => call.to_number).sort()).toEqual([...asked].sort());
    const active = new Set(calls.map(({ id }) => id));
    for (const rejection of await listRejections()) {
      expect(rejection).toMatchObject({ reason: 'NUMBER_BUSY' });
      expect(active).toContain((rejection as { activeCallId?: string }).activeCallId);
    }
  });
});
