import type { Call } from '../../src/client';
import { CallsApiError, CallsClient, CallsConnectionError } from '../../src/client';
import type { Fetch } from '../../src/client/transport';
import { freshNumber, startApi, type ApiUnderTest } from '../api/api-under-test';
import { answeringServer, sendJson } from './answering-server';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

/** The request is carried out, and its answer is lost on the way back, so many times. */
function losingAnswers(times: number): { fetch: Fetch; sent: () => number } {
  let sent = 0;
  const lose: Fetch = async (url, init) => {
    sent++;
    const answer = await fetch(url, init);
    if (sent > times) return answer;
    await answer.arrayBuffer();
    throw new TypeError('fetch failed', { cause: Object.assign(new Error('read'), { code: 'ECONNRESET' }) });
  };
  return { fetch: lose, sent: () => sent };
}

const request = () => ({ to: freshNumber(), scriptId: 'testScript' });
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('a request whose answer is lost', () => {
  test('makes one call: it is sent again with the key that was made for it', async () => {
    const { fetch, sent } = losingAnswers(2);
    const client = new CallsClient({ baseUrl: api.url, fetch });
    const { to, scriptId } = request();
    const call = await client.create({ to, scriptId });
    expect(sent()).toBe(3);
    const { total } = await client.list({ to });
    expect(total).toBe(1);
    expect((await client.get(call.id)).payload.to).toBe(to);
  });

  test('when every answer is lost, the error has the key that makes it safe to repeat', async () => {
    const { to, scriptId } = request();
    const lossy = new CallsClient({ baseUrl: api.url, fetch: losingAnswers(9).fetch, retries: 1 });
    const error = (await failure(lossy.create({ to, scriptId }))) as CallsConnectionError;
    expect(error).toBeInstanceOf(CallsConnectionError);
    expect(error.mayHaveArrived).toBe(true);
    const client = new CallsClient({ baseUrl: api.url });
    const call = await client.create({ to, scriptId }, { idempotencyKey: error.idempotencyKey });
    expect((await client.list({ to })).calls.map(({ id }) => id)).toEqual([call.id]);
  });

  test('cancels: that the call has ended already is then no error', async () => {
    const { id } = await new CallsClient({ baseUrl: api.url }).create(request());
    const canceled = await new CallsClient({ baseUrl: api.url, fetch: losingAnswers(1).fetch }).cancel(id);
    expect(canceled).toMatchObject({ id, status: 'CANCELED' });
  });

  test('of a retry is not sent again: the call could have ended anew, and would be made once more', async () => {
    const client = new CallsClient({ baseUrl: api.url });
    const { id } = await client.create(request());
    await client.cancel(id);
    const { fetch, sent } = losingAnswers(1);
    const error = await failure(new CallsClient({ baseUrl: api.url, fetch }).retry(id));
    expect(error).toBeInstanceOf(CallsConnectionError);
    expect(sent()).toBe(1);
    expect((await client.get(id)).status).toBe('PENDING');
  });
});

test('to cancel a call that has ended is an error where it was sent once', async () => {
  const client = new CallsClient({ baseUrl: api.url });
  const { id } = await client.create(request());
  await client.cancel(id);
  expect(await failure(client.cancel(id))).toMatchObject({ status: 409, code: 'CALL_ALREADY_ENDED' });
});

test('an answer that will pass is waited for as long as it asks, then the request is sent again', async () => {
  const server = await answeringServer((response, _request, nth) => {
    if (nth === 1) sendJson(response, 429, {}, { 'Retry-After': '2' });
    else if (nth === 2) response.writeHead(503).end();
    else sendJson(response, 200, { id: 'x' });
  });
  await new CallsClient({ baseUrl: server.url }).retry('x').catch(() => undefined);
  // A retry may be sent again after 429, which did nothing, and not after 503.
  expect(server.seen).toHaveLength(2);
  const [first, second] = server.seen;
  expect(second!.at - first!.at).toBeGreaterThanOrEqual(2_000);
  expect(await new CallsClient({ baseUrl: server.url }).get('x')).toEqual({ id: 'x' });
  await server.close();
});

test('a create that comes again before its first answer is sent again, until it gets that answer', async () => {
  const server = await answeringServer((response, _request, nth) => {
    if (nth === 1) response.destroy();
    else if (nth === 2)
      sendJson(response, 409, { code: 'IDEMPOTENCY_KEY_IN_FLIGHT', detail: '' }, { 'Retry-After': '1' });
    else sendJson(response, 201, { id: 'x' });
  });
  expect(await new CallsClient({ baseUrl: server.url }).create(request())).toEqual({ id: 'x' });
  expect(server.seen).toHaveLength(3);
  await server.close();
});

test('to come back in an hour is no wait: the error says so at once', async () => {
  const server = await answeringServer((response) => sendJson(response, 429, {}, { 'Retry-After': '3600' }));
  const error = await failure(new CallsClient({ baseUrl: server.url }).get('x'));
  expect(error).toMatchObject({ status: 429, retryAfterSeconds: 3_600 });
  expect(server.seen).toHaveLength(1);
  await server.close();
});

test('a refusal is not sent again, and its error has the whole problem', async () => {
  const { fetch, sent } = losingAnswers(0);
  const client = new CallsClient({ baseUrl: api.url, fetch });
  const error = (await failure(client.create({ to: '911', scriptId: '' }))) as CallsApiError;
  expect(error).toBeInstanceOf(CallsApiError);
  expect(error).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
  expect(error.problem?.errors?.map(({ path }) => path).sort()).toEqual(['scriptId', 'to']);
  expect(error.requestId).toBeTruthy();
  expect(sent()).toBe(1);

  const { to, scriptId } = request();
  const { id } = await client.create({ to, scriptId });
  expect(await failure(client.create({ to, scriptId }))).toMatchObject({
    code: 'NUMBER_BUSY',
    problem: { activeCallId: id },
  });
});

test('a service that does not answer in time is given up with words that say so', async () => {
  const server = await answeringServer(() => undefined);
  const client = new CallsClient({ baseUrl: server.url, timeoutSeconds: 0.2, retries: 1 });
  expect(await failure(client.get('x'))).toMatchObject({
    name: 'CallsConnectionError',
    message: `${server.url} gave no answer within 0.2 s`,
    mayHaveArrived: true,
  });
  expect(server.seen).toHaveLength(2);
  await server.close();
});

test('a service that is not there is named, and nothing may have arrived', async () => {
  const server = await answeringServer(() => undefined);
  await server.close();
  expect(await failure(new CallsClient({ baseUrl: server.url, retries: 0 }).stats())).toMatchObject({
    message: `${server.url} refuses connections`,
    mayHaveArrived: false,
  });
});

test('what something in between answers is an error without a code, and is no call', async () => {
  const pages = [
    (response: Parameters<typeof sendJson>[0]) => response.writeHead(502).end('<html>Bad gateway</html>'),
    (response: Parameters<typeof sendJson>[0]) => response.writeHead(200).end('<html>Please log in</html>'),
  ];
  for (const page of pages) {
    const server = await answeringServer(page);
    const error = await failure(new CallsClient({ baseUrl: server.url, retries: 0 }).get('x'));
    expect(error).toBeInstanceOf(CallsApiError);
    expect((error as CallsApiError).code).toBeUndefined();
    await server.close();
  }
});

test('an aborted signal ends a request, and a wait between two tries, with its own reason', async () => {
  const reason = new Error('enough');
  const ends = async (answer: Parameters<typeof answeringServer>[0]) => {
    const server = await answeringServer(answer);
    const controller = new AbortController();
    const work = failure(new CallsClient({ baseUrl: server.url }).get('x', { signal: controller.signal }));
    setTimeout(() => controller.abort(reason), 300);
    expect(await work).toBe(reason);
    await server.close();
  };
  await ends(() => undefined);
  await ends((response) => sendJson(response, 503, {}, { 'Retry-After': '30' }));
});

test('a key goes along, nowhere else than to the service, and into no error', async () => {
  const elsewhere = await answeringServer((response) => sendJson(response, 200, {}));
  const server = await answeringServer((response) => response.writeHead(307, { Location: elsewhere.url }).end());
  const client = new CallsClient({ baseUrl: server.url, apiKey: 'aco_k_secret', retries: 0 });
  const error = (await failure(client.create(request()))) as Error;
  expect(server.seen[0]?.headers.authorization).toBe('Bearer aco_k_secret');
  expect(elsewhere.seen).toEqual([]);
  expect(JSON.stringify([error, error.message, String(error.cause)])).not.toContain('secret');
  await Promise.all([server.close(), elsewhere.close()]);
});

test.each([
  ['a URL that is none', { baseUrl: 'localhost' }],
  ['a URL with a password', { baseUrl: 'http://user:xyzzy@localhost' }],
  ['a key with a line break', { baseUrl: 'http://localhost', apiKey: 'a\nxyzzy' }],
])('%s is refused at once, without repeating what is secret', (_what, options) => {
  expect(() => new CallsClient(options)).toThrow(TypeError);
  expect(() => new CallsClient(options)).not.toThrow(/xyzzy/);
});

test('an id is one segment of a path, whatever it holds', async () => {
  const server = await answeringServer((response) => sendJson(response, 404, {}));
  const client = new CallsClient({ baseUrl: `${server.url}/prefix/` });
  await failure(client.get('../metrics?x#y'));
  expect(server.seen[0]?.path).toBe('/prefix/calls/..%2Fmetrics%3Fx%23y');
  expect(await failure(client.get(''))).toBeInstanceOf(TypeError);
  await server.close();
});

test('a PENDING call is changed field by field', async () => {
  const client = new CallsClient({ baseUrl: api.url });
  const call = await client.create({ ...request(), metadata: { a: 1 } });
  const changed = await client.update(call.id, { scriptId: 'other', metadata: { b: [2] } });
  expect(changed.payload).toEqual({ to: call.payload.to, scriptId: 'other', metadata: { b: [2] } });
});

test('every call of a list comes once, newest first, over pages and while others come in', async () => {
  const client = new CallsClient({ baseUrl: api.url });
  const made: Call[] = [];
  for (let count = 0; count < 120; count++) made.push(await client.create({ ...request(), scriptId: 'pages' }));
  const seen: string[] = [];
  for await (const { id } of client.listAll({ scriptId: 'pages' })) {
    if (seen.push(id) === 50) await client.create({ ...request(), scriptId: 'pages' });
  }
  expect(seen).toEqual(made.map(({ id }) => id).reverse());

  const some: string[] = [];
  for await (const { id } of client.listAll({ scriptId: 'pages' }, { limit: 101 })) some.push(id);
  expect(some).toHaveLength(101);
});

describe('filters and exports', () => {
  const client = () => new CallsClient({ baseUrl: api.url });
  const since = new Date();
  beforeAll(async () => {
    for (const order of ['7', '8', '8'])
      await client().create({ ...request(), scriptId: 'filtered', metadata: { order } });
  });
  const ids = async (found: AsyncIterable<Call>) => {
    const all: string[] = [];
    for await (const { id } of found) all.push(id);
    return all;
  };

  test('several statuses, times and metadata choose calls, of a list as of an export', async () => {
    const filter = { status: ['PENDING', 'FAILED'] as const, scriptId: 'filtered', createdAfter: since };
    const eights = await ids(client().listAll({ ...filter, metadata: { order: '8' } }));
    expect(eights).toHaveLength(2);
    expect(await ids(client().exportCalls({ ...filter, metadata: { order: 8 } }))).toEqual(eights);
    expect(await ids(client().listAll({ ...filter, createdBefore: since }))).toEqual([]);
  });

  test('an export as a file is the bytes that the service sends', async () => {
    const parts: Uint8Array[] = [];
    for await (const part of client().exportFile('csv', { scriptId: 'filtered' })) parts.push(part);
    const [head, ...rows] = Buffer.concat(parts).toString('utf8').trimEnd().split('\n');
    expect(head).toMatch(/^id,to,scriptId,status/);
    expect(rows).toHaveLength(3);
  });

  test('an export that breaks off is an error, never a file that looks whole', async () => {
    const server = await answeringServer((response) => {
      response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
      response.write('{"id":"a"}\n', () => response.destroy());
    });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { id } of new CallsClient({ baseUrl: server.url }).exportCalls()) seen.push(id);
    })();
    expect(await failure(reading)).toBeInstanceOf(CallsConnectionError);
    expect(seen).toEqual(['a']);
    await server.close();
  });
});

describe('many calls at once', () => {
  const client = () => new CallsClient({ baseUrl: api.url });

  test('a batch whose answer is lost makes each call once, and answers for each row', async () => {
    const rows = [request(), { ...request(), to: '911' }, { ...request(), requestId: 'row-3' }];
    const { fetch, sent } = losingAnswers(1);
    const batch = await new CallsClient({ baseUrl: api.url, fetch }).createBatch(rows);
    expect(sent()).toBe(2);
    expect(batch).toMatchObject({ accepted: 0, replayed: 2, refused: 1 });
    expect(batch.results[1]?.problem?.code).toBe('INVALID_REQUEST');
    expect((await client().list({ to: rows[0]!.to })).total).toBe(1);
  });

  test('a file is imported row by row, and once more without making any call twice', async () => {
    const csv = `to,scriptId,metadata.order\n${freshNumber()},imported,7\n911,imported,8\n`;
    const seen: string[] = [];
    const run = () =>
      client().importCsv(csv, {
        idempotencyKey: 'file-1',
        onRow: ({ row, status }) => void seen.push(`${row} ${status}`),
      });
    expect(await run()).toEqual({ rows: 2, accepted: 1, replayed: 0, refused: 1 });
    expect(await run()).toEqual({ rows: 2, accepted: 0, replayed: 1, refused: 1 });
    expect(seen).toEqual(['1 ACCEPTED', '2 REFUSED', '1 REPLAYED', '2 REFUSED']);
    expect(await failure(client().importCsv('to\n+966501234567\n'))).toMatchObject({ status: 400 });
  });

  test.each([
    [
      'ends with a problem',
      '{"problem":{"status":503,"code":"DEPENDENCY_UNAVAILABLE","detail":"away"}}\n',
      { status: 503 },
    ],
    ['ends without a summary', '{"row":1,"status":"ACCEPTED"}\n', { name: 'CallsConnectionError' }],
  ])('an import that %s is an error with the key to repeat it by', async (_what, lines, expected) => {
    const server = await answeringServer((response) => response.writeHead(200).end(lines));
    const error = await failure(new CallsClient({ baseUrl: server.url }).importCsv('x', { idempotencyKey: 'k' }));
    expect(error).toMatchObject({ ...expected, idempotencyKey: 'k' });
    await server.close();
  });
});
