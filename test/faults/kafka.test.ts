import { randomBytes } from 'node:crypto';

import { Kafka, logLevel, type Admin } from 'kafkajs';
import { sql } from 'kysely';

import { topics } from '../../src/call/names';
import type { Producer } from '../../src/events/broker';
import { openBroker } from '../support/kafka';
import { OwnServices } from '../support/own-services';
import type { RoleProcess } from '../support/role-process';
import { waitUntil } from '../support/wait-until';
import { Stage } from './stage';

let own: OwnServices;
let stage: Stage;
let producer: Producer;
let admin: Admin;
let bridge: RoleProcess;

beforeAll(async () => {
  own = await OwnServices.open('kafka');
  producer = (await openBroker(own.environment)).producer();
  admin = new Kafka({ brokers: [own.environment['KAFKA_BROKERS']!], logLevel: logLevel.NOTHING }).admin();
  stage = await Stage.open({ settings: { ...own.environment, MAX_CONCURRENT_CALLS: '20' }, callSeconds: 0.5 });
  [bridge] = await Promise.all([stage.service.run('bridge'), stage.service.start('api', 'worker')]);
}, 120_000);
afterAll(async () => {
  await stage.close();
  await producer.close();
  await admin.disconnect();
  await own.close();
});

/** Requests for calls, each to a number of its own. */
function requests(count: number): string[] {
  return Array.from({ length: count }, () => JSON.stringify({ to: stage.freshNumber(), scriptId: 'testScript' }));
}

async function send(values: readonly (string | Buffer)[]): Promise<void> {
  await producer.send(
    topics.requests,
    values.map((value) => ({ key: randomBytes(4).toString('hex'), value })),
  );
}

/** Sends them once Kafka takes them. */
async function sendAfterAll(values: readonly string[]): Promise<void> {
  await waitUntil(
    'sent',
    () =>
      send(values).then(
        () => true,
        () => undefined,
      ),
    60,
  );
}

const numbersOf = (values: readonly string[]): string[] =>
  values.map((value) => (JSON.parse(value) as { to: string }).to);

async function committed(): Promise<number> {
  const groupId = stage.service.settings['KAFKA_GROUP_ID']!;
  const [offsets] = await admin.fetchOffsets({ groupId, topics: [topics.requests] });
  return offsets!.partitions.reduce((sum, { offset }) => sum + Math.max(Number(offset), 0), 0);
}

test('15: Kafka crashes and comes back: every request becomes one call', () =>
  stage.rehearse(15, 'Kafka killed and restarted', async (rehearsal) => {
    const before = requests(20);
    await send(before);
    await rehearsal.untilCalled(numbersOf(before.slice(0, 1)));
    rehearsal.callIds.length = 0;
    await own.crash('kafka');
    rehearsal.fired();
    await own.start('kafka');
    rehearsal.over();
    const after = requests(20);
    await sendAfterAll(after);
    await rehearsal.untilCalled(numbersOf([...before, ...after]));
  }));

test(
  '16: Kafka hangs: the bridge goes on after it, or ends non-zero to be started again',
  () =>
    stage.rehearse(16, 'Kafka hangs (SIGSTOP)', async (rehearsal) => {
      own.pause('kafka');
      try {
        rehearsal.fired();
        // Longer than a request may take and than the group waits for a member.
        const started = performance.now();
        await waitUntil('45 s', () => performance.now() - started > 45_000 || bridge.ended, 60);
      } finally {
        own.resume('kafka');
      }
      if (bridge.ended) {
        expect(bridge.exitCode).not.toBe(0);
        stage.service.forget(bridge);
        bridge = await stage.service.run('bridge');
      }
      rehearsal.over();
      const after = requests(10);
      await sendAfterAll(after);
      await rehearsal.untilCalled(numbersOf(after));
    }),
  240_000,
);

test('17: the bridge dies before its offset commit: delivered again, one call each', () =>
  stage.rehearse(17, 'bridge killed before its offset commit', async (rehearsal) => {
    const values = requests(60);
    const { db } = stage.service.database;
    const before = await committed();
    const count = async (query: ReturnType<typeof sql<{ count: number }>>) => (await query.execute(db)).rows[0]!.count;
    const calls = () => count(sql`select count(*) as count from calls`);
    const had = await calls();
    // The rows wait for this lock, and the bridge is stopped while they do: PostgreSQL commits them without it.
    await db.transaction().execute(async (trx) => {
      await sql`lock table calls in share mode`.execute(trx);
      await send(values);
      const waiting = sql<{ count: number }>`
        select count(*) as count from pg_stat_activity where wait_event_type = 'Lock' and query like '%insert into calls%'`;
      await waitUntil('the bridge writes', async () => (await count(waiting)) > 0);
      bridge.signal('SIGSTOP');
    });
    await waitUntil('rows committed', async () => (await calls()) > had);
    await bridge.crash();
    // Killed with rows in the database whose messages are not committed: they come again.
    const uncommitted = (await calls()) - had - ((await committed()) - before);
    rehearsal.fired(Math.max(uncommitted, 0));
    bridge = await stage.service.run('bridge');
    rehearsal.over();
    await rehearsal.untilCalled(numbersOf(values));
  }));

test('18: a second bridge joins in the middle of 1,000 messages: none lost, none twice', () =>
  stage.rehearse(18, 'a second bridge joins amid 1,000 messages', async (rehearsal) => {
    const { db } = stage.service.database;
    const outcomes = async () => {
      const { rows } = await sql<{ source: string; outcomes: number }>`
        select source, count(*) as outcomes from (
          select source from calls where source is not null
          union all select source from call_events where source is not null) as told
        group by source`.execute(db);
      return rows;
    };
    const before = (await outcomes()).length;
    // A hundred numbers ten times over: a message finds its number free, or is told that it is busy.
    const numbers = requests(100);
    const values = Array.from({ length: 1_000 }, (_, index) => numbers[index % numbers.length]!);
    let second: Promise<RoleProcess> | undefined;
    for (let at = 0; at < values.length; at += 100) {
      await send(values.slice(at, at + 100));
      if (at === 400) {
        second = stage.service.run('bridge');
        rehearsal.fired();
      }
    }
    const joined = await second!;
    await waitUntil(
      'the second bridge has partitions',
      () => joined.output.includes('joined the Kafka consumer group'),
      60,
    );
    rehearsal.over();
    await waitUntil('each message has its outcome', async () => (await outcomes()).length - before >= 1_000, 90);
    const told = await outcomes();
    expect(told).toHaveLength(before + 1_000);
    expect(told.filter((row) => row.outcomes !== 1)).toEqual([]);
    const { rows } = await sql<{ id: string }>`select id from calls`.execute(db);
    rehearsal.callIds.push(...rows.map(({ id }) => id));
    await joined.stop();
  }));

test('19: poison messages become dead letters with their reason, and what follows goes on', () =>
  stage.rehearse(19, 'poison messages', async (rehearsal) => {
    const [first, last] = [requests(1), requests(1)];
    const poison = ['{bad', '', Buffer.from([0xff, 0xfe]), `{"to":"${'1'.repeat(1_000_000)}"}`];
    await send([...first, ...poison, ...last]);
    rehearsal.fired(poison.length);
    await rehearsal.untilCalled(numbersOf([...first, ...last]));
    const deadLetters = async () =>
      (await admin.fetchTopicOffsets(topics.deadLetters)).reduce((sum, { high }) => sum + Number(high), 0);
    await waitUntil('dead letters', async () => (await deadLetters()) === poison.length);
  }));
