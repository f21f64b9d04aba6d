import { sql } from 'kysely';

import type { Board } from '../../src/api/board-schemas';
import { acceptedCall, callOnSlot, claim, waitingAttempt } from '../store/records';
import { startApi, type ApiUnderTest } from './api-under-test';
import { clear } from './stages';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ env: { MAX_CONCURRENT_CALLS: '3' } });
});
beforeEach(() => clear(api.db));
afterAll(() => api.close());

async function board(query = ''): Promise<Board> {
  const answer = await api.request('GET', `/board${query}`);
  expect([answer.status, answer.text]).toEqual([200, answer.text]);
  return answer.body as unknown as Board;
}

const secondsFromNow = (iso: string | null) => (iso === null ? null : (Date.parse(iso) - Date.now()) / 1_000);

describe('the slots', () => {
  test('are all there, free or with who is on them', async () => {
    const { call, attemptId } = await callOnSlot(api.db, 2);
    const { slots, limit } = await board();
    expect(limit).toBe(3);
    expect(slots.map(({ slot, line }) => [slot, line?.callId])).toEqual([
      [1, undefined],
      [2, call.id],
      [3, undefined],
    ]);
    expect(slots[1]?.line).toMatchObject({ attemptId, to: call.to_number, attempt: 1, maxAttempts: 3 });
    expect(secondsFromNow(slots[1]!.line!.since)).toBeGreaterThan(-60);
  });

  test('say how far the attempt is', async () => {
    const { call, attemptId } = await callOnSlot(api.db, 1);
    const stateNow = async () => (await board()).slots[0]?.line?.state;
    expect(await stateNow()).toBe('DIALLING');
    await api.db.updateTable('attempts').set({ external_call_id: 'x' }).where('id', '=', attemptId).execute();
    expect(await stateNow()).toBe('ON_THE_LINE');
    await api.request('POST', `/calls/${call.id}/cancel`);
    expect(await stateNow()).toBe('HANGING_UP');
  });

  test('above a limit that was lowered are there while they are held', async () => {
    await callOnSlot(api.db, 7);
    expect((await board()).slots.map(({ slot }) => slot)).toEqual([1, 2, 3, 7]);
  });
});

describe('the queue', () => {
  test('has every PENDING call in the order in which they will be served, with what it waits for', async () => {
    const backoff = await acceptedCall(api.db);
    const usual = await acceptedCall(api.db);
    const busy = await acceptedCall(api.db);
    const unstarted = await acceptedCall(api.db);
    const urgent = await acceptedCall(api.db, { priority: 1 });
    for (const call of [usual, busy, urgent]) await waitingAttempt(api.db, call);
    const { call: other } = await callOnSlot(api.db, 1);
    await api.db.updateTable('attempts').set({ to_number: busy.to_number }).where('call_id', '=', other.id).execute();
    const nextAttemptAt = new Date(Date.now() + 8_000);
    await api.db
      .updateTable('calls')
      .set({ next_attempt_at: nextAttemptAt, attempts: 1 })
      .where('id', '=', backoff.id)
      .execute();

    const { queue } = await board();
    expect(queue.total).toBe(5);
    expect(queue.calls.map(({ callId, place, waitsFor, attempt }) => [callId, place, waitsFor, attempt])).toEqual([
      [urgent.id, 1, 'SLOT', 1],
      [backoff.id, null, 'BACKOFF', 2],
      [usual.id, 2, 'SLOT', 1],
      [busy.id, 3, 'NUMBER', 1],
      [unstarted.id, null, 'START', 1],
    ]);
    expect(queue.calls[1]?.startsAbout).toBe(nextAttemptAt.toISOString());
    expect(queue.calls.map(({ startsAbout }) => startsAbout === null)).toEqual([true, false, true, true, true]);
  });

  test('is read on by its cursor, over places below zero as well', async () => {
    const calls = [];
    for (const priority of [1, 1, 2, 3, 5]) calls.push(await acceptedCall(api.db, { priority }));
    for (const call of calls) await waitingAttempt(api.db, call);
    const seen: [string, number | null][] = [];
    let cursor: string | null = null;
    do {
      const { queue }: Board = await board(`?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
      seen.push(...queue.calls.map(({ callId, place }): [string, number | null] => [callId, place]));
      cursor = queue.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(calls.map(({ id }, index) => [id, index + 1]));
  });

  test.each(['limit=201', 'limit=0', 'cursor=', 'cursor=abc', `cursor=${Buffer.from('1:5').toString('base64url')}`])(
    'cannot be asked for by ?%s',
    async (query) => {
      const answer = await api.request('GET', `/board?${query}`);
      expect([answer.status, answer.body['code']]).toEqual([400, 'INVALID_REQUEST']);
    },
  );

  test('says when each will about start, by its place and by how long slots were held', async () => {
    for (const slot of [1, 2, 3]) {
      const { attemptId } = await callOnSlot(api.db, slot);
      await api.db
        .updateTable('attempts')
        .set({ started_at: sql`now() - interval '30 s'`, ended_at: sql`now()`, outcome: 'COMPLETED' })
        .where('id', '=', attemptId)
        .execute();
    }
    for (const slot of [1, 2, 3]) await callOnSlot(api.db, slot);
    for (let n = 0; n < 4; n++) await waitingAttempt(api.db, await acceptedCall(api.db));
    const { queue } = await board();
    for (const [index, { startsAbout }] of queue.calls.entries()) {
      // One of three slots is given back every 10 s.
      expect(Math.abs(secondsFromNow(startsAbout)! - 10 * (index + 1))).toBeLessThan(8);
    }
  });

  test('of 100,000 calls shows its head and its middle fast', async () => {
    await sql`
      insert into calls (id, to_number, script_id, max_attempts, expires_at, priority)
      select gen_random_uuid(), '+9666' || (10000000 + n), 'crowd', 3, now() + interval '1 day', 1 + n % 5
        from generate_series(1, 100000) as n`.execute(api.db);
    await sql`
      insert into attempts (id, call_id, round, queue_seq, run_id, run_number)
      select gen_random_uuid(), id, 1, queue_seq, 'run', 1 from calls`.execute(api.db);
    const startedAt = performance.now();
    const first = await board('?limit=200');
    expect(first.queue.total).toBe(100_000);
    const middle = await board(`?limit=200&cursor=${first.queue.nextCursor!}`);
    expect(middle.queue.calls[0]?.place).toBe(201);
    // A tenth of it on a machine that has nothing else to do; reading through all of them takes longer than this.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

test('a claim that came in between is on its slot or in the queue, never on both', async () => {
  const call = await acceptedCall(api.db);
  const attemptId = await waitingAttempt(api.db, call);
  const [seen] = await Promise.all([
    Promise.all(Array.from({ length: 10 }, () => board())),
    claim(api.db, call, attemptId, 1),
  ]);
  for (const { slots, queue } of seen) {
    const places = [...slots.filter(({ line }) => line?.callId === call.id), ...queue.calls];
    expect(places).toHaveLength(1);
  }
});
