import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { sql } from 'kysely';

import type { ReceivedMessage } from '../../src/events/broker';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { createTestKafka, type TestKafka } from '../support/kafka';
import { Toxiproxy } from '../support/toxiproxy';
import { waitUntil } from '../support/wait-until';

/** Relays as processes, as they run in several bridges, which die and stand still. */
let kafka: TestKafka;
let database: TestDatabase;
let relays: RelayProcess[];
let toxiproxy: Toxiproxy | undefined;
let numbers = 0;

beforeEach(async () => {
  [kafka, database] = await Promise.all([createTestKafka(), createTestDatabase()]);
  relays = [];
});
afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.kill()));
  await toxiproxy?.close();
  await Promise.all([kafka.close(), database.drop()]);
});

const givenUpAfterSeconds = 2;

class RelayProcess {
  private constructor(private readonly child: ChildProcess) {}
  private output = '';

  static start(env: Record<string, string> = {}, nodeOptions: string[] = []): RelayProcess {
    const runner = join(__dirname, '../support/run-typescript.mjs');
    const child = spawn(process.execPath, [...nodeOptions, runner, join(__dirname, 'relay-process.ts')], {
      env: {
        ...process.env,
        DATABASE_URL: database.url,
        KAFKA_BROKERS: kafka.config.KAFKA_BROKERS.join(','),
        EVENTS_TOPIC: kafka.topics.events,
        GIVEN_UP_AFTER_SECONDS: String(givenUpAfterSeconds),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const relay = new RelayProcess(child);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (relay.output += String(chunk)));
    relays.push(relay);
    return relay;
  }

  get timesLed(): number {
    return this.output.split('relay: leads').length - 1;
  }

  /** The end of what it wrote, where it ended by itself. */
  get ended(): string | undefined {
    return this.child.exitCode === null && this.child.signalCode === null ? undefined : this.output.slice(-2_000);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}

/** Calls with that many events each, interleaved as those of calls at once are. */
async function makeEvents(calls: number, eventsEach: number): Promise<void> {
  numbers += calls;
  await sql`
    with made as (
      insert into calls (id, to_number, script_id, max_attempts, expires_at, event_sequence)
      select gen_random_uuid(), '+9665' || lpad((${numbers} - n)::text, 8, '0'), 'test', 3, now() + '1 day', ${eventsEach}
        from generate_series(1, ${calls}) as n
      returning id
    )
    insert into call_events (call_id, sequence, type, body)
    select id, n, 'call.updated', json_build_object('reason', repeat('as long as a call is, ', 30), 'call', json_build_object('id', id))
      from generate_series(1, ${eventsEach}) as n, made
     order by n`.execute(database.db);
}

const unpublished = async () => {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from outbox`.execute(database.db);
  return rows[0]?.count;
};

/** As a consumer sees them that has taken out repeats: each call's sequences, in the order of arrival. */
function sequencesByCall(messages: readonly ReceivedMessage[]): Map<string, number[]> {
  const seen = new Set<string>();
  const sequences = new Map<string, number[]>();
  for (const { value } of messages) {
    const { eventId, callId, sequence } = JSON.parse(String(value)) as Record<string, string> & { sequence: number };
    if (eventId === undefined || callId === undefined || seen.has(eventId)) continue;
    seen.add(eventId);
    sequences.set(callId, [...(sequences.get(callId) ?? []), sequence]);
  }
  return sequences;
}

function expectInOrder(messages: readonly ReceivedMessage[], calls: number, eventsEach: number): void {
  const sequences = sequencesByCall(messages);
  const inOrder = Array.from({ length: eventsEach }, (_, index) => index + 1);
  expect(sequences.size).toBe(calls);
  for (const ofCall of sequences.values()) expect(ofCall).toEqual(inOrder);
}

test('a leader killed while it sends: another takes over, nothing is lost, and each call’s events stay in order', async () => {
  const messages = await kafka.collect(kafka.topics.events);
  const [first, second] = [RelayProcess.start(), RelayProcess.start()];
  await waitUntil('one to lead', () => first.timesLed + second.timesLed > 0);
  const [leader, other] = first.timesLed > 0 ? [first, second] : [second, first];
  await makeEvents(100, 60);
  await waitUntil('some events', () => messages.length > 0);
  await leader.kill();
  expect(await unpublished()).toBeGreaterThan(0);
  await waitUntil('the other to lead', () => other.timesLed > 0);
  await waitUntil('all published', async () => (await unpublished()) === 0, 60);
  await waitUntil('all events', () => new Set(messages.map(({ value }) => String(value))).size === 6_000);
  expectInOrder(messages, 100, 60);
});

test('a leader that stands still past its session, and goes on when another leads, breaks no call’s order', async () => {
  const messages = await kafka.collect(kafka.topics.events);
  const pair = [RelayProcess.start(), RelayProcess.start()] as const;
  await waitUntil('one to lead', () => pair[0].timesLed + pair[1].timesLed > 0);
  let [leader, other] = pair[0].timesLed > 0 ? pair : [pair[1], pair[0]];
  for (let turn = 1; turn <= 3; turn++) {
    await makeEvents(50, 40);
    const [before, led] = [messages.length, other.timesLed];
    await waitUntil('some events', () => messages.length > before);
    leader.signal('SIGSTOP');
    await makeEvents(50, 40);
    const takeover = other;
    await waitUntil('the other to lead', () => takeover.timesLed > led);
    // In the midst of the other's sending, what the first had in hand comes on top.
    leader.signal('SIGCONT');
    await makeEvents(50, 40);
    await waitUntil('all published', async () => (await unpublished()) === 0, 60);
    [leader, other] = [other, leader];
  }
  const all = 3 * 3 * 50 * 40;
  await waitUntil('all events', () => new Set(messages.map(({ value }) => String(value))).size === all);
  expectInOrder(messages, 450, 40);
});

test('fifty thousand events, kept while Kafka was away, leave in bounded memory and in order', async () => {
  toxiproxy = await Toxiproxy.open();
  const proxy = await toxiproxy.to(kafka.config.KAFKA_BROKERS[0]!);
  await proxy.cut();
  // Parsed and held together, the events would not fit.
  const relay = RelayProcess.start({ KAFKA_BROKERS: proxy.address }, ['--max-old-space-size=64']);
  await waitUntil('to lead', () => relay.timesLed > 0);
  await makeEvents(500, 100);
  expect(await unpublished()).toBe(50_000);
  const messages = await kafka.collect(kafka.topics.events);
  await proxy.restore();
  await waitUntil(
    'all published',
    async () => {
      if (relay.ended !== undefined) throw new Error(relay.ended);
      return (await unpublished()) === 0;
    },
    100,
  );
  await waitUntil('all events', () => messages.length >= 50_000);
  expectInOrder(messages, 500, 100);
});
