import { sql } from 'kysely';

import { CallDoor } from '../../src/intake/call-door';
import type { Acceptance, IncomingCall } from '../../src/intake/accept-call';
import { createTestDatabase, type TestDatabase } from '../support/database';

/** Requests that come at once, over HTTP, each by itself. */
let database: TestDatabase;
let door: CallDoor;
let numbers = 0;

beforeEach(async () => {
  database = await createTestDatabase();
  door = new CallDoor({
    db: database.db,
    config: { MAX_ATTEMPTS: 3, DEFAULT_EXPIRY_SECONDS: 600 },
    starter: { handOffSoon: () => undefined, startsWithinSeconds: 0 },
  });
});
afterEach(() => database.drop());

/** Each number is lower than the one before. */
const freshNumber = () => `+9665${String(39_999_999 - numbers++)}`;
const request = (to = freshNumber(), scriptId = 'test'): IncomingCall => ({
  request: { to, scriptId },
  requestKey: null,
  source: null,
});
const numberOf = (answer: Acceptance) => ('call' in answer ? answer.call.payload.to : undefined);

test('a thousand at once are all durable, each answered with its own call, in fewer transactions than requests', async () => {
  const incoming = Array.from({ length: 1_000 }, () => request());
  const answers = await Promise.all(incoming.map((one) => door.accept(one)));
  expect(answers.map(numberOf)).toEqual(incoming.map((one) => one.request.to));
  const { rows } = await sql<{ transactions: number; calls: number }>`
    select count(*)::integer as calls, count(distinct xmin::text)::integer as transactions from calls`.execute(
    database.db,
  );
  expect(rows[0]?.calls).toBe(1_000);
  expect(rows[0]?.transactions).toBeLessThan(100);
});

test('whoever is decided on together keeps the order in which they came, whatever their numbers', async () => {
  const incoming = Array.from({ length: 300 }, () => request());
  await Promise.all(incoming.map((one) => door.accept(one)));
  const rows = await database.db.selectFrom('calls').select(['to_number', 'seq']).orderBy('queue_seq').execute();
  // Two statements are under way at once: each in its own order.
  const placeOf = new Map(rows.map(({ to_number }, place) => [to_number, place]));
  const places = incoming.slice(2, 202).map((one) => placeOf.get(one.request.to)!);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});

test('of a hundred to one number at once one is accepted, and the others are told which', async () => {
  const to = freshNumber();
  const answers = await Promise.all(Array.from({ length: 100 }, () => door.accept(request(to))));
  const [accepted] = answers.filter(({ kind }) => kind === 'ACCEPTED');
  const id = accepted && 'call' in accepted ? accepted.call.id : undefined;
  const busy = answers.filter((answer) => answer !== accepted);
  expect(busy).toEqual(Array(99).fill({ kind: 'NUMBER_BUSY', activeCallId: id }));
});

test('one that PostgreSQL refuses takes none of those with it that came at the same time', async () => {
  await sql`alter table calls add constraint unforeseen check (script_id <> 'cursed')`.execute(database.db);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 40 }, (_, index) => door.accept(request(undefined, index === 25 ? 'cursed' : 'test'))),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(
    Array.from({ length: 40 }, (_, index) => (index === 25 ? 'rejected' : 'fulfilled')),
  );
});

test('where the database is away all are told so, and the next are decided on again', async () => {
  await sql`alter table calls rename to gone`.execute(database.db);
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => door.accept(request())));
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']));
  await sql`alter table gone rename to calls`.execute(database.db);
  expect(await door.accept(request())).toMatchObject({ kind: 'ACCEPTED' });
});
