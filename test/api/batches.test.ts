import { sql } from 'kysely';

import { batchSchema } from '../../src/api/schemas';
import { freshNumber, startApi, type Answer, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const post = (calls: unknown, key?: string) =>
  api.request('POST', '/calls/batch', {
    json: { calls },
    headers: key === undefined ? {} : { 'Idempotency-Key': key },
  });
const call = (fields: Record<string, unknown> = {}) => ({ to: freshNumber(), scriptId: 'batch', ...fields });
const batchOf = (answer: Answer) => {
  expect(answer.status).toBe(200);
  return batchSchema.parse(answer.body);
};
const countOfCalls = async () => (await api.db.selectFrom('calls').select('id').execute()).length;

test('a thousand calls are accepted at once, in their order, and handed to be started', async () => {
  const before = await countOfCalls();
  const calls = Array.from({ length: 1_000 }, () => call());
  const batch = batchOf(await post(calls));
  expect(batch).toMatchObject({ accepted: 1_000, replayed: 0, refused: 0 });
  expect(batch.results.map((result) => [result.index, result.status, result.call?.payload.to])).toEqual(
    calls.map(({ to }, index) => [index, 'ACCEPTED', to]),
  );
  expect(await countOfCalls()).toBe(before + 1_000);
  expect(api.handedOff.slice(-1_000).map(({ id }) => id)).toEqual(batch.results.map((result) => result.call?.id));
});

test('a bad row is refused with its problem, and none of its neighbours with it', async () => {
  const busy = call();
  await api.acceptCall(busy);
  const rows = [call(), { to: '+966', scriptId: 'batch', nonsense: 1 }, null, busy, call({ scriptId: '' }), 7, call()];
  const { results } = batchOf(await post(rows));
  expect(results.map(({ status, problem }) => problem?.code ?? status)).toEqual([
    'ACCEPTED',
    'INVALID_REQUEST',
    'INVALID_REQUEST',
    'NUMBER_BUSY',
    'INVALID_REQUEST',
    'INVALID_REQUEST',
    'ACCEPTED',
  ]);
  expect(results[1]?.problem).toMatchObject({ status: 400, instance: '/calls/batch#/calls/1' });
  expect(results[1]?.problem?.errors?.map(({ path }) => path).sort()).toEqual(['nonsense', 'to']);
  expect(results[3]?.problem?.activeCallId).toBeDefined();
});

test('of two rows to one number the first is accepted, and the second names it', async () => {
  const to = freshNumber();
  const { results } = batchOf(await post([call({ to }), call({ to })]));
  expect(results[1]?.problem).toMatchObject({ code: 'NUMBER_BUSY', activeCallId: results[0]?.call?.id });
});

test('a batch repeated with its key makes no second call, and has the answers of the first time', async () => {
  const rows = [call(), call({ metadata: { a: 1 } }), { to: 'wrong', scriptId: 'batch' }];
  const first = batchOf(await post(rows, 'key-1'));
  // Also once the calls have ended, so that no busy number stands in the way.
  await api.db.updateTable('calls').set({ status: 'COMPLETED' }).execute();
  const before = await countOfCalls();
  const second = batchOf(await post(rows, 'key-1'));
  expect(second).toMatchObject({ accepted: 0, replayed: 2, refused: 1 });
  expect(second.results.map((result) => result.call)).toEqual(first.results.map((result) => result.call));
  expect(await countOfCalls()).toBe(before);
  expect(batchOf(await post(rows, 'key-2'))).toMatchObject({ accepted: 2, replayed: 0 });
});

test('a key that comes with other rows is refused for each row that differs', async () => {
  const [one, two, other] = [call(), call(), call()];
  await post([one, two], 'key-3');
  const { results } = batchOf(await post([one, other], 'key-3'));
  expect(results.map(({ status, problem }) => problem?.code ?? status)).toEqual(['REPLAYED', 'IDEMPOTENCY_KEY_REUSED']);
});

test('a requestId is the same key in a batch as in the header of POST /calls, wherever in the batch it is', async () => {
  const [one, two] = [call(), call()];
  const accepted = await api.request('POST', '/calls', { json: one, headers: { 'Idempotency-Key': 'row-1' } });
  const { results } = batchOf(
    await post(
      [
        { ...two, requestId: 'row-2' },
        { ...one, requestId: 'row-1' },
      ],
      'key-4',
    ),
  );
  expect(results.map(({ status }) => status)).toEqual(['ACCEPTED', 'REPLAYED']);
  expect(results[1]?.call?.id).toBe(accepted.body['id']);
  const again = await api.request('POST', '/calls', { json: two, headers: { 'Idempotency-Key': 'row-2' } });
  expect([again.headers.get('Idempotency-Replayed'), again.body['id']]).toEqual(['true', results[0]?.call?.id]);
});

test('a call that PostgreSQL alone refuses takes none of its neighbours with it', async () => {
  await sql`alter table calls add constraint unforeseen check (script_id <> 'cursed')`.execute(api.db);
  try {
    const rows = [call(), call({ scriptId: 'cursed' }), call(), call(), call()];
    const batch = batchOf(await post(rows));
    expect(batch).toMatchObject({ accepted: 4, refused: 1 });
    expect(batch.results[1]?.problem?.code).toBe('INTERNAL_ERROR');
  } finally {
    await sql`alter table calls drop constraint unforeseen`.execute(api.db);
  }
});

test('two who send overlapping batches at once make one call of each row', async () => {
  const rows = Array.from({ length: 200 }, (_, index) => call({ requestId: `overlap-${index}` }));
  const before = await countOfCalls();
  const answers = await Promise.all([post(rows), post([...rows].reverse()), post(rows)]);
  const batches = answers.map(batchOf);
  expect(batches.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(200);
  expect(batches.every(({ refused }) => refused === 0)).toBe(true);
  expect(await countOfCalls()).toBe(before + 200);
});

describe('refused as a whole', () => {
  test.each([
    [{}, 'calls'],
    [{ calls: [] }, 'calls'],
    [{ calls: {} }, 'calls'],
    [{ calls: Array(1_001).fill(null) }, 'calls'],
    [{ calls: [null], key: 1 }, 'key'],
  ])('%#: an envelope that is wrong gets 400 naming the field', async (json, path) => {
    const answer = await api.request('POST', '/calls/batch', { json });
    expect([answer.status, answer.body['code']]).toEqual([400, 'INVALID_REQUEST']);
    expect((answer.body['errors'] as { path: string }[]).map((error) => error.path)).toEqual([path]);
  });

  test('more than 10 MB get 413, what is not JSON 415, a key that is none 400', async () => {
    const large = await api.request('POST', '/calls/batch', { json: { calls: ['x'.repeat(10 * 1024 * 1024)] } });
    expect([large.status, large.body['code']]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    const text = await api.request('POST', '/calls/batch', { raw: 'x', headers: { 'Content-Type': 'text/csv' } });
    expect([text.status, text.body['code']]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    expect((await post([call()], 'a key')).status).toBe(400);
  });
});
