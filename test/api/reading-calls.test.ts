import { randomUUID } from 'node:crypto';

import { attemptListSchema, callListSchema, callSchema, eventListSchema } from '../../src/api/schemas';
import type { Call } from '../../src/call/call';
import { waitUntil } from '../support/wait-until';
import { badFields, startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const get = (path: string) => api.request('GET', path);

describe('GET /calls/:id', () => {
  test('answers 200 with the Call', async () => {
    const call = await api.acceptCall();
    const answer = await get(`/calls/${call.id}`);
    expect(answer.status).toBe(200);
    expect(callSchema.parse(answer.body)).toEqual(call);
    expect((await get(`/calls/${call.id.toUpperCase()}`)).body).toEqual(call);
  });

  test.each(['', '/attempts', '/events'])('%s: an unknown id gets 404 CALL_NOT_FOUND', async (rest) => {
    const answer = await get(`/calls/${randomUUID()}${rest}`);
    expect([answer.status, answer.body['code']]).toEqual([404, 'CALL_NOT_FOUND']);
  });

  test.each(['7', 'not-a-uuid', '%00', '%E0%A4%A', '%zz', "'; drop table calls;--", `${randomUUID()}0`])(
    'the id %j, no UUID, gets 400 INVALID_ID',
    async (id) => {
      for (const rest of ['', '/attempts', '/events']) {
        const answer = await get(`/calls/${id}${rest}`);
        expect([answer.status, answer.body['code']]).toEqual([400, 'INVALID_ID']);
      }
    },
  );
});

describe('GET /calls', () => {
  let calls: Call[];
  beforeAll(async () => {
    calls = [];
    for (let i = 0; i < 7; i++) calls.unshift(await api.acceptCall({ scriptId: i % 2 ? 'odd' : 'even' }));
  });

  const idsOf = (body: Record<string, unknown>) => callListSchema.parse(body).calls.map(({ id }) => id);

  test('lists the newest first, 50 to a page unless told', async () => {
    const answer = await get('/calls');
    expect(answer.status).toBe(200);
    expect(idsOf(answer.body).slice(0, 7)).toEqual(calls.map(({ id }) => id));
    expect(answer.body).toMatchObject({ page: 1, limit: 50, nextCursor: null });
  });

  test('pages through', async () => {
    const first = await get('/calls?scriptId=even&limit=3');
    const second = await get('/calls?scriptId=even&limit=3&page=2');
    expect(first.body).toMatchObject({ page: 1, limit: 3, total: 4 });
    expect(second.body).toMatchObject({ page: 2, limit: 3, total: 4, nextCursor: null });
    const even = calls.filter(({ payload }) => payload.scriptId === 'even').map(({ id }) => id);
    expect([...idsOf(first.body), ...idsOf(second.body)]).toEqual(even);
  });

  test('a cursor goes on where the page ended, though newer calls came in', async () => {
    const first = await get('/calls?scriptId=odd&limit=2');
    await api.acceptCall({ scriptId: 'odd' });
    const second = await get(`/calls?scriptId=odd&limit=2&cursor=${String(first.body['nextCursor'])}`);
    const odd = calls.filter(({ payload }) => payload.scriptId === 'odd').map(({ id }) => id);
    expect([...idsOf(first.body), ...idsOf(second.body)]).toEqual(odd);
    expect(second.body['nextCursor']).toBeNull();
  });

  test('filters by status', async () => {
    const { id } = await api.acceptCall();
    await api.request('POST', `/calls/${id}/cancel`);
    expect(idsOf((await get('/calls?status=CANCELED')).body)).toEqual([id]);
    expect((await get('/calls?status=COMPLETED')).body).toMatchObject({ calls: [], total: 0 });
  });

  test('filters by number, whether or not its plus is escaped', async () => {
    const { id, payload } = await api.acceptCall();
    for (const to of [encodeURIComponent(payload.to), payload.to]) {
      expect(idsOf((await get(`/calls?to=${to}`)).body)).toEqual([id]);
    }
  });

  test('filters by several statuses at once', async () => {
    const canceled = await api.acceptCall({ scriptId: 'statuses' });
    const pending = await api.acceptCall({ scriptId: 'statuses' });
    await api.request('POST', `/calls/${canceled.id}/cancel`);
    const list = async (status: string) => idsOf((await get(`/calls?scriptId=statuses&status=${status}`)).body);
    expect(await list('CANCELED,PENDING')).toEqual([pending.id, canceled.id]);
    expect(await list('CANCELED,FAILED,CANCELED')).toEqual([canceled.id]);
  });

  test('filters by the time of acceptance, from one inclusive to another exclusive', async () => {
    const before = await api.acceptCall({ scriptId: 'times' });
    await waitUntil('the clock has moved', () => Date.now() > Date.parse(before.createdAt) + 1);
    const after = await api.acceptCall({ scriptId: 'times' });
    const list = async (query: string) => idsOf((await get(`/calls?scriptId=times&${query}`)).body);
    expect(await list(`createdAfter=${before.createdAt}`)).toEqual([after.id, before.id]);
    expect(await list(`createdAfter=${after.createdAt}`)).toEqual([after.id]);
    expect(await list(`createdBefore=${after.createdAt}`)).toEqual([before.id]);
    expect(await list(`createdAfter=${before.createdAt}&createdBefore=${after.createdAt}`)).toEqual([before.id]);
    expect(await list('createdAfter=2999-01-01T00:00:00+03:00')).toEqual([]);
  });

  test('filters by values of metadata, as text, number or boolean, several at once', async () => {
    const text = await api.acceptCall({ scriptId: 'meta', metadata: { customer: '42', campaign: 'spring' } });
    const number = await api.acceptCall({ scriptId: 'meta', metadata: { customer: 42, 'a.b': true } });
    const list = async (query: string) => idsOf((await get(`/calls?scriptId=meta&${query}`)).body);
    expect(await list('metadata.customer=42')).toEqual([number.id, text.id]);
    expect(await list('metadata.customer=42&metadata.campaign=spring')).toEqual([text.id]);
    expect(await list('metadata.a.b=true')).toEqual([number.id]);
    expect(await list('metadata.customer=43')).toEqual([]);
    expect(await list('metadata.customer=')).toEqual([]);
    expect(await list('metadata.customer=1e999')).toEqual([]);
  });

  test.each([
    ['limit=abc', 'limit'],
    ['limit=0', 'limit'],
    ['limit=1e9', 'limit'],
    ['limit=101', 'limit'],
    ['limit=', 'limit'],
    ['limit=%31%00', 'limit'],
    ['page=-1', 'page'],
    ['page=0', 'page'],
    ['page=1.5', 'page'],
    ['page=99999999999999999999', 'page'],
    ['status=RINGING', 'status'],
    ['status=pending', 'status'],
    ['status=', 'status'],
    ['status=PENDING,', 'status'],
    ['status=PENDING,pending', 'status'],
    ['createdAfter=', 'createdAfter'],
    ['createdAfter=yesterday', 'createdAfter'],
    ['createdAfter=2026-02-30T00:00:00Z', 'createdAfter'],
    ['createdBefore=2026-01-01', 'createdBefore'],
    ['metadata=x', 'metadata'],
    ['metadata.=x', 'metadata.'],
    ['metadata.__proto__=x', 'metadata.__proto__'],
    ['metadata.a=%00', 'metadata.a'],
    ['metadata.a%00=x', 'metadata.a\0'],
    ['metadata.a=1&metadata.a=2', 'metadata.a'],
    ['to=966501234567', 'to'],
    ['to=%2B966%00', 'to'],
    ['scriptId=', 'scriptId'],
    ['scriptId=%00', 'scriptId'],
    ['cursor=', 'cursor'],
    ['cursor=abc', 'cursor'],
    [`cursor=${Buffer.from('1:-5').toString('base64url')}`, 'cursor'],
    [`cursor=${Buffer.from('1:9999999999999999').toString('base64url')}`, 'cursor'],
    [`cursor=${Buffer.from('2:5').toString('base64url')}`, 'cursor'],
    ['unknown=1', 'unknown'],
    ['__proto__=1', '__proto__'],
    ['limit=1&limit=2', 'limit'],
  ])('?%s gets 400 naming %s', async (query, path) => {
    const answer = await get(`/calls?${query}`);
    expect([answer.status, answer.body['code']]).toEqual([400, 'INVALID_REQUEST']);
    expect(badFields(answer)).toEqual([path]);
  });

  test.each(['scriptId=%', 'scriptId=%E0%A4%A', 'scriptId=%ff'])(
    '?%s, a malformed escape, costs no 500',
    async (query) => {
      expect((await get(`/calls?${query}`)).status).toBe(200);
    },
  );

  test.each(['createdBefore=0000-01-01T00:00:00Z', 'createdAfter=9999-12-31T23:59:59.999999999-23:59'])(
    '?%s, a time far away, matches no call',
    async (query) => {
      expect((await get(`/calls?${query}`)).body).toMatchObject({ calls: [], total: 0 });
    },
  );
});

describe('what happened to a call', () => {
  let call: Call;
  beforeAll(async () => {
    call = await api.acceptCall();
    await api.request('PATCH', `/calls/${call.id}`, { json: { scriptId: 'another' } });
    await api.request('POST', `/calls/${call.id}/cancel`);
  });

  test('GET /calls/:id/events tells the whole timeline in order', async () => {
    const answer = await get(`/calls/${call.id}/events`);
    expect(answer.status).toBe(200);
    const { events } = eventListSchema.parse(answer.body);
    expect(events.map(({ sequence, type, call: then }) => [sequence, type, then.status])).toEqual([
      [1, 'call.accepted', 'PENDING'],
      [2, 'call.updated', 'PENDING'],
      [3, 'call.canceled', 'CANCELED'],
    ]);
  });

  test('GET /calls/:id/attempts lists the attempts that began, with slot, outcome and times', async () => {
    const queued = { call_id: call.id, round: 1, queue_seq: 1, run_id: 'run', run_number: 1 };
    const began = { number: 1, slot: 7, to_number: call.payload.to, started_at: new Date() };
    const id = randomUUID();
    await api.db
      .insertInto('attempts')
      .values([
        { ...queued, ...began, id, ended_at: new Date(), outcome: 'BUSY', duration_sec: 12 },
        { ...queued, id: randomUUID() },
      ])
      .execute();
    const answer = await get(`/calls/${call.id}/attempts`);
    expect(answer.status).toBe(200);
    const { attempts } = attemptListSchema.parse(answer.body);
    expect(attempts).toEqual([expect.objectContaining({ id, callId: call.id, number: 1, slot: 7, outcome: 'BUSY' })]);
  });
});
