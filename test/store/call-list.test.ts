import { randomUUID } from 'node:crypto';

import * as fc from 'fast-check';
import { sql } from 'kysely';

import { callStatuses } from '../../src/call/call';
import { listCalls, MatchCounter, type CallFilter } from '../../src/store/call-list';
import type { CallRow } from '../../src/store/database';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { waitUntil } from '../support/wait-until';

let database: TestDatabase;
/** Newest first. */
let all: CallRow[];

const metadatas = [
  {},
  { a: '1' },
  { a: 1 },
  { a: true, b: 'x' },
  { a: 'true' },
  { a: [1, '1'] },
  { 'a.b': 'x', a: { b: 'x' } },
];
const firstDay = Date.parse('2026-01-01T00:00:00Z');
const minutes = (count: number) => new Date(firstDay + count * 60_000);

beforeAll(async () => {
  database = await createTestDatabase();
  const values = Array.from({ length: 400 }, (_, index) => ({
    id: randomUUID(),
    to_number: `+96650000000${index % 8}`,
    script_id: ['one', 'two'][index % 2] ?? '',
    metadata: JSON.stringify(metadatas[index % metadatas.length]),
    status: index < 5 ? ('PENDING' as const) : (callStatuses[2 + (index % 4)] ?? 'FAILED'),
    max_attempts: 3,
    // Numbers are drawn a little after the time is set, so neighbours may be the other way round.
    created_at: minutes(index + (index % 3 === 0 ? 2 : 0)),
    expires_at: minutes(100_000),
  }));
  await database.db.insertInto('calls').values(values).execute();
  all = await database.db.selectFrom('calls').selectAll().orderBy('seq', 'desc').execute();
});
afterAll(() => database.drop());

/** What the filter says, in JavaScript. */
function matches(row: CallRow, filter: CallFilter): boolean {
  const { status, to, scriptId, createdAfter, createdBefore, metadata = {} } = filter;
  return (
    (status?.includes(row.status) ?? true) &&
    (to ?? row.to_number) === row.to_number &&
    (scriptId ?? row.script_id) === row.script_id &&
    (createdAfter === undefined || row.created_at >= createdAfter) &&
    (createdBefore === undefined || row.created_at < createdBefore) &&
    Object.entries(metadata).every(([name, text]) => {
      const value = row.metadata[name];
      if (typeof value === 'number') return value === Number(text);
      return value !== undefined && typeof value !== 'object' && String(value) === text;
    })
  );
}

const someTime = fc.integer({ min: -20, max: 420 }).map(minutes);
const filters: fc.Arbitrary<CallFilter> = fc.record(
  {
    status: fc.subarray([...callStatuses], { minLength: 1 }),
    to: fc.constantFrom('+966500000001', '+966500000002', '+966500000009'),
    scriptId: fc.constantFrom('one', 'two', 'three'),
    createdAfter: someTime,
    createdBefore: someTime,
    metadata: fc.dictionary(
      fc.constantFrom('a', 'b', 'a.b', 'none'),
      fc.constantFrom('1', 'true', 'x', '1.0', '1e400', 'undefined'),
      {
        maxKeys: 2,
      },
    ),
  },
  { requiredKeys: [] },
);

test('a list is what its filter says, newest first, by every page size, by cursor and by page, found and sorted or walked along', async () => {
  await fc.assert(
    fc.asyncProperty(filters, fc.integer({ min: 1, max: 60 }), fc.boolean(), async (filter, limit, few) => {
      const expected = all.filter((row) => matches(row, filter)).map(({ id }) => id);
      expect(await new MatchCounter(database.db).count(filter)).toBe(expected.length);
      const total = few ? 0 : 1_000_000;
      const listed: string[] = [];
      for (let afterSeq: number | undefined; ;) {
        const page = await listCalls(database.db, filter, { limit, total, afterSeq });
        listed.push(...page.rows.map(({ id }) => id));
        if (page.nextSeq === null) break;
        afterSeq = page.nextSeq;
      }
      expect(listed).toEqual(expected);
      const second = await listCalls(database.db, filter, { limit, total, offset: limit });
      expect(second.rows.map(({ id }) => id)).toEqual(expected.slice(limit, 2 * limit));
    }),
    { numRuns: 80 },
  );
});

describe('how many match', () => {
  const many: CallFilter = { scriptId: 'many' };

  async function insertMatching(scriptId: string, count: number): Promise<void> {
    await sql`
      insert into calls (id, to_number, script_id, status, max_attempts, expires_at)
      select gen_random_uuid(), '+966510000000', ${scriptId}, 'COMPLETED', 3, now()
        from generate_series(1, ${count})`.execute(database.db);
  }

  async function countsThatWaitForTheTable(): Promise<number> {
    const { rows } = await sql<{ waiting: number }>`
      select count(*)::int as waiting from pg_locks
       where not granted and relation = 'calls'::regclass`.execute(database.db);
    return rows[0]?.waiting ?? 0;
  }

  test('of few is counted each time', async () => {
    const counter = new MatchCounter(database.db);
    for (let expected = 1; expected <= 3; expected++) {
      await insertMatching('few', 1);
      expect(await counter.count({ scriptId: 'few' })).toBe(expected);
    }
  });

  test('of many is told at once while it is counted anew beside, once for all who ask', async () => {
    await insertMatching('many', 10_000);
    const counter = new MatchCounter(database.db);
    expect(await counter.count(many)).toBe(10_000);
    await insertMatching('many', 1);
    await database.db.transaction().execute(async (trx) => {
      await sql`lock table calls in access exclusive mode`.execute(trx);
      await waitUntil('a count under way', async () => {
        expect(await counter.count(many)).toBe(10_000);
        return (await countsThatWaitForTheTable()) > 0;
      });
      await Promise.all(Array.from({ length: 20 }, () => counter.count(many)));
      expect(await countsThatWaitForTheTable()).toBe(1);
    });
    await waitUntil('the new count', async () => (await counter.count(many)) === 10_001);
  });

  test('of many is not told of long ago', async () => {
    const counter = new MatchCounter(database.db);
    const before = await counter.count(many);
    await insertMatching('many', 1);
    const later = performance.now() + 60_000;
    const clock = jest.spyOn(performance, 'now').mockReturnValue(later);
    try {
      expect(await counter.count(many)).toBe(before + 1);
    } finally {
      clock.mockRestore();
    }
  });
});
