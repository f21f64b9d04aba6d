import { sql } from 'kysely';

import type { Statistics } from '../../src/api/board-schemas';
import { startApi, type ApiUnderTest } from './api-under-test';
import { clear } from './stages';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
beforeEach(() => clear(api.db));
afterAll(() => api.close());

async function statistics(query = ''): Promise<Statistics> {
  const answer = await api.request('GET', `/statistics${query}`);
  expect([answer.status, answer.text]).toEqual([200, answer.text]);
  return answer.body as unknown as Statistics;
}

const range = '?from=2026-03-01T10:00:00Z&to=2026-03-01T11:00:00Z';

/** Calls that ended in that minute of the range's hour, each with its one attempt. */
async function ended(calls: {
  minute: number;
  status?: string;
  lastError?: string;
  waited?: number;
  lasted?: number;
  count?: number;
}): Promise<void> {
  const { minute, status = 'COMPLETED', lastError = null, waited = 2, lasted = 20, count = 1 } = calls;
  await sql`
    with made as (
      insert into calls (id, to_number, script_id, status, attempts, max_attempts, expires_at, last_error,
                         created_at, started_at, ended_at)
      select gen_random_uuid(), '+966', 'test', ${status}, 1, 3, now(), ${lastError},
             at - make_interval(secs => ${waited + lasted}), at - make_interval(secs => ${lasted}), at
        from (select timestamptz '2026-03-01T10:00:00Z' + make_interval(mins => ${minute}) as at
                from generate_series(1, ${count})) as times
      returning *)
    insert into attempts (id, call_id, round, queue_seq, run_id, run_number, number, slot, to_number,
                          queued_at, started_at, ended_at, outcome)
    select gen_random_uuid(), id, 1, seq, 'run', 1, 1, 1, to_number, created_at, started_at, ended_at,
           case when status = 'COMPLETED' then 'COMPLETED' else 'FAILED' end
      from made`.execute(api.db);
}

test('calls are counted by when they ended and how, and their sum is the total', async () => {
  await ended({ minute: 0, count: 3 });
  await ended({ minute: 1, status: 'FAILED', count: 2 });
  await ended({ minute: 59, status: 'EXPIRED' });
  await ended({ minute: 59, status: 'CANCELED', count: 4 });
  await ended({ minute: 60 });
  await ended({ minute: -1 });
  const { buckets, totals, bucketSeconds } = await statistics(range);
  expect(bucketSeconds).toBe(30);
  expect(buckets).toHaveLength(120);
  const told = buckets.filter(({ at, ...counts }) => at !== '' && Object.values(counts).some((count) => count > 0));
  expect(told).toEqual([
    { at: '2026-03-01T10:00:00.000Z', completed: 3, failed: 0, expired: 0, canceled: 0 },
    { at: '2026-03-01T10:01:00.000Z', completed: 0, failed: 2, expired: 0, canceled: 0 },
    { at: '2026-03-01T10:59:00.000Z', completed: 0, failed: 0, expired: 1, canceled: 4 },
  ]);
  // A person's cancel says nothing of how well calls go.
  expect(totals).toEqual({ completed: 3, failed: 2, expired: 1, canceled: 4, successRate: 0.5 });
});

test.each([
  ['2026-03-01T10:00:00Z', '2026-03-01T10:05:00Z', 5],
  ['2026-03-01T10:00:07Z', '2026-03-01T11:00:07Z', 60],
  ['2026-03-01T10:00:00Z', '2026-03-02T10:00:00Z', 900],
  ['2026-03-01T10:00:00Z', '2026-04-01T10:00:00Z', 43_200],
])('from %s to %s there is a bucket every %d s, at most 120', async (from, to, seconds) => {
  const { bucketSeconds, buckets } = await statistics(`?from=${from}&to=${to}`);
  expect(bucketSeconds).toBe(seconds);
  expect(buckets.length).toBeLessThanOrEqual(120);
  expect(Date.parse(buckets[0]!.at)).toBeLessThanOrEqual(Date.parse(from));
  expect(Date.parse(buckets.at(-1)!.at) + seconds * 1_000).toBeGreaterThanOrEqual(Date.parse(to));
});

test('by itself it tells of the last day', async () => {
  const { from, to } = await statistics();
  expect(Date.parse(to) - Date.parse(from)).toBe(86_400_000);
  expect(Math.abs(Date.parse(to) - Date.now())).toBeLessThan(60_000);
});

test.each([
  'from=2026-03-01T10:00:00Z&to=2026-03-01T10:00:00Z',
  'from=2026-03-02T10:00:00Z&to=2026-03-01T10:00:00Z',
  'from=2026-03-01T10:00:00Z&to=2026-04-01T10:00:01Z',
  'from=yesterday',
])('%s is refused', async (query) => {
  const answer = await api.request('GET', `/statistics?${query}`);
  expect([answer.status, answer.body['code']]).toEqual([400, 'INVALID_REQUEST']);
});

test('distributions have median, 95th percentile, and each attempt in one bin', async () => {
  for (let n = 1; n <= 100; n++) await ended({ minute: 10, lasted: n, waited: n * 10 });
  await ended({ minute: 10, lasted: 5_000, waited: 0.2 });
  await ended({ minute: 10, status: 'FAILED', lasted: 3, waited: 7 });
  const { durations, waits } = await statistics(range);
  expect([durations.median, durations.p95]).toEqual([51, 96]);
  expect([waits.median, waits.p95]).toEqual([490, 950]);
  const counted = (bins: typeof waits.bins) => bins.reduce((sum, { count }) => sum + count, 0);
  expect([counted(durations.bins), counted(waits.bins)]).toEqual([101, 102]);
  expect(durations.bins.slice(0, 2)).toEqual([
    { from: 0, to: 10, count: 9 },
    { from: 10, to: 20, count: 10 },
  ]);
  expect(durations.bins.at(-1)).toEqual({ from: 110, to: null, count: 1 });
  expect(durations.bins.every(({ to }, index, all) => to === (all[index + 1]?.from ?? null))).toBe(true);
});

test('without anything that ended, nothing is made up', async () => {
  const { totals, durations, failures } = await statistics(range);
  expect(totals.successRate).toBeNull();
  expect(durations).toEqual({ unit: 'seconds', median: null, p95: null, bins: [] });
  expect(failures).toEqual([]);
});

test('a wait for a later attempt counts from the end of its backoff', async () => {
  await ended({ minute: 5, waited: 50 });
  await api.db
    .updateTable('attempts')
    .set({ number: 2, queued_at: sql`started_at - interval '3 s'` })
    .execute();
  // The call's first wait, of 50 s, and that of its second attempt.
  expect((await statistics(range)).waits.bins.filter(({ count }) => count > 0)).toEqual([
    { from: 0, to: 5, count: 1 },
    { from: 50, to: 55, count: 1 },
  ]);
});

test('failures are told by reason, whatever numbers are in it, ten of them and the rest', async () => {
  await ended({ minute: 5, status: 'FAILED', lastError: 'FAILED: line 17 dropped', count: 3 });
  await ended({ minute: 5, status: 'FAILED', lastError: 'FAILED: line 18 dropped', count: 2 });
  await ended({ minute: 5, status: 'EXPIRED', lastError: 'BUSY' });
  for (const letter of 'abcdefghijkl') await ended({ minute: 6, status: 'FAILED', lastError: `FAILED: ${letter}` });
  const { failures, totals } = await statistics(range);
  expect(failures[0]).toEqual({ reason: 'FAILED: line … dropped', count: 5 });
  expect(failures).toHaveLength(11);
  expect(failures.at(-1)).toEqual({ reason: 'other', count: 3 });
  expect(failures.reduce((sum, { count }) => sum + count, 0)).toBe(totals.failed);
});

test('over 100,000 calls it answers fast', async () => {
  await sql`
    insert into calls (id, to_number, script_id, status, attempts, max_attempts, expires_at, last_error,
                       created_at, started_at, ended_at)
    select gen_random_uuid(), '+966' || n, 'crowd', case when n % 10 = 0 then 'FAILED' else 'COMPLETED' end, 1, 3, now(),
           case when n % 10 = 0 then 'FAILED: line ' || n || ' dropped' end, at - interval '60 s', at - interval '30 s', at
      from (select n, timestamptz '2026-03-01T10:00:00Z' + n * interval '0.03 s' as at
              from generate_series(1, 100000) as n) as times`.execute(api.db);
  await sql`
    insert into attempts (id, call_id, round, queue_seq, run_id, run_number, number, slot, to_number, queued_at,
                          started_at, ended_at, outcome, duration_sec)
    select gen_random_uuid(), id, 1, seq, 'run', 1, 1, 1, to_number, created_at, started_at, ended_at, 'COMPLETED', seq % 60
      from calls`.execute(api.db);
  const startedAt = performance.now();
  const { totals, waits } = await statistics(range);
  // About 200 ms on a machine that has nothing else to do.
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  expect([totals.completed, totals.failed, waits.median]).toEqual([90_000, 10_000, 30]);
});
