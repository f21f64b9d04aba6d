import { connect } from 'node:net';

import { sql } from 'kysely';

import { callSchema } from '../../src/api/schemas';
import { createTestDatabase, databaseAway } from '../support/database';
import { freshNumber, startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

describe('requests that are no route’s', () => {
  test.each([
    '/unknown',
    '/calls/',
    '/calls/a/b',
    '/%00',
    '/%zz',
    '/%E0%A4%A',
    '//calls',
    '/calls%2f',
    '/../etc/passwd',
  ])('GET %s gets 404 ROUTE_NOT_FOUND', async (path) => {
    const answer = await api.request('GET', path);
    expect([answer.status, answer.body['code']]).toEqual([404, 'ROUTE_NOT_FOUND']);
    expect(answer.headers.get('Content-Type')).toBe('application/problem+json');
  });

  test.each([
    ['DELETE', '/calls', 'POST, GET, HEAD'],
    ['PUT', '/calls/7', 'GET, HEAD, PATCH'],
    ['POST', '/calls/7', 'GET, HEAD, PATCH'],
    ['GET', '/calls/7/cancel', 'POST'],
    ['HEAD', '/calls/7/retry', 'POST'],
    ['POST', '/calls/7/events', 'GET, HEAD'],
    ['GET', '/callbacks/call-status', 'POST'],
    ['OPTIONS', '/metrics', 'GET, HEAD'],
    ['POST', '/health', 'GET, HEAD'],
    ['DELETE', '/openapi.json', 'GET, HEAD'],
  ])('%s %s gets 405 and Allow: %s', async (method, path, allow) => {
    const answer = await api.request(method, path);
    expect(answer.status).toBe(405);
    expect(answer.headers.get('Allow')).toBe(allow);
    if (method !== 'HEAD') expect(answer.body['code']).toBe('METHOD_NOT_ALLOWED');
  });

  test.each([
    'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
    'GET /\\calls HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'GET /calls?to=%zz%00 HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'POST /calls HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n',
    'BREW /calls HTTP/1.1\r\nHost: localhost\r\n\r\n',
  ])('%j gets 400', async (bytes) => {
    expect(await statusOf(bytes)).toBe(400);
  });
});

describe('every answer', () => {
  test('HEAD is answered as GET, without a body', async () => {
    const { id } = await api.acceptCall();
    for (const path of [`/calls/${id}`, '/calls', '/metrics', '/health', '/ready']) {
      const answer = await api.request('HEAD', path);
      expect([answer.status, answer.text]).toEqual([200, '']);
    }
  });

  test('carries the request id it came with, or one made for it', async () => {
    const given = await api.request('GET', '/unknown', { headers: { 'X-Request-Id': 'abc.1:2-3_4' } });
    expect(given.headers.get('X-Request-Id')).toBe('abc.1:2-3_4');
    for (const forged of ['a b', '"}', 'x'.repeat(129)]) {
      const made = await api.request('GET', '/health', { headers: { 'X-Request-Id': forged } });
      expect(made.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test('forbids sniffing, framing and caching', async () => {
    for (const path of ['/health', '/unknown', '/calls/7']) {
      const { headers } = await api.request('GET', path);
      expect(headers.get('X-Content-Type-Options')).toBe('nosniff');
      expect(headers.get('X-Frame-Options')).toBe('DENY');
      expect(headers.get('Cache-Control')).toBe('no-store');
    }
  });
});

describe('the log', () => {
  test('has a line for each request, with its call, and neither body nor full number', async () => {
    const to = freshNumber();
    const headers = { 'X-Request-Id': 'logged-1' };
    const json = { to, scriptId: 'secretScript' };
    const { body } = await api.request('POST', '/calls', { json, headers });
    await api.request('GET', `/calls/${to}?to=${to}`, { headers: { 'X-Request-Id': 'logged-2' } });

    const line = (requestId: string) => api.logLines.find((one) => one['requestId'] === requestId);
    expect(line('logged-1')).toMatchObject({ method: 'POST', path: '/calls', status: 201, callId: body['id'] });
    expect(line('logged-1')?.['ms']).toEqual(expect.any(Number));
    expect(line('logged-2')).toMatchObject({ method: 'GET', status: 400 });
    const whole = JSON.stringify(api.logLines);
    expect(whole).not.toContain(to.slice(1));
    expect(whole).not.toContain('secretScript');
  });
});

describe('while PostgreSQL is away', () => {
  test('everything that needs it gets 503 with Retry-After; what does not goes on', async () => {
    const away = await startApi({ database: await databaseAway() });
    try {
      const requests = [
        away.request('POST', '/calls', { json: { to: freshNumber(), scriptId: 'testScript' } }),
        away.request('GET', '/calls'),
        away.request('GET', '/calls/8a5ba5a0-6a5e-4b7e-9d0c-1f2e3d4c5b6a'),
        away.request('POST', '/calls/8a5ba5a0-6a5e-4b7e-9d0c-1f2e3d4c5b6a/cancel'),
        away.request('GET', '/metrics'),
      ];
      for (const answer of await Promise.all(requests)) {
        expect([answer.status, answer.body['code']]).toEqual([503, 'DEPENDENCY_UNAVAILABLE']);
        expect(answer.headers.get('Retry-After')).toBe('2');
        expect(answer.text).not.toContain('terminated');
      }
      expect((await away.request('GET', '/health')).status).toBe(200);
      expect((await away.request('POST', '/calls', { raw: '{bad' })).status).toBe(415);
    } finally {
      await away.close();
    }
  });

  test('connections that the server cuts cost 503, and the next request is served', async () => {
    const { id } = await api.acceptCall();
    await api.db.connection().execute(async (connection) => {
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`.execute(connection);
    });
    const answers = await Promise.all(Array.from({ length: 20 }, () => api.request('GET', `/calls/${id}`)));
    for (const { status } of answers) expect([200, 503]).toContain(status);
    expect((await api.request('GET', `/calls/${id}`)).status).toBe(200);
  });
});

test('what nobody foresaw gets 500, and the cause is in the log alone', async () => {
  const database = await createTestDatabase();
  const broken = await startApi({ database });
  try {
    await database.db.schema.alterTable('calls').renameColumn('to_number', 'gone').execute();
    const answer = await broken.request('GET', '/calls?to=%2B966501234567', {
      headers: { 'X-Request-Id': 'broken-1' },
    });
    expect([answer.status, answer.body['code']]).toEqual([500, 'INTERNAL_ERROR']);
    expect(answer.text).not.toMatch(/to_number|column|select/);
    const line = broken.logLines.find(({ msg }) => msg === 'unforeseen error');
    expect(line).toMatchObject({ requestId: 'broken-1', err: { code: '42703' } });
  } finally {
    await broken.close();
  }
});

test('GET /openapi.json describes every route, and the Call as it is answered', async () => {
  const { status, body } = await api.request('GET', '/openapi.json');
  expect(status).toBe(200);
  const paths = body['paths'] as Record<string, Record<string, unknown>>;
  expect(
    Object.entries(paths)
      .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))
      .sort(),
  ).toEqual([
    'delete /calls/{id}/personal-data',
    'delete /webhook-endpoints/{id}',
    'get /',
    'get /board',
    'get /calls',
    'get /calls/export',
    'get /calls/stream',
    'get /calls/{id}',
    'get /calls/{id}/attempts',
    'get /calls/{id}/events',
    'get /calls/{id}/reports',
    'get /calls/{id}/stream',
    'get /control',
    'get /docs',
    'get /health',
    'get /metrics',
    'get /openapi.json',
    'get /ready',
    'get /statistics',
    'get /webhook-deliveries',
    'get /webhook-deliveries/{id}',
    'get /webhook-endpoints',
    'get /webhook-endpoints/{id}',
    'patch /calls/{id}',
    'patch /webhook-endpoints/{id}',
    'post /callbacks/call-status',
    'post /calls',
    'post /calls/batch',
    'post /calls/import',
    'post /calls/{id}/cancel',
    'post /calls/{id}/retry',
    'post /codec/decode',
    'post /codec/encode',
    'post /control/pause',
    'post /control/resume',
    'post /webhook-deliveries/{id}/redeliver',
    'post /webhook-endpoints',
    'post /webhook-endpoints/{id}/disable',
    'post /webhook-endpoints/{id}/enable',
    'post /webhook-endpoints/{id}/rotate-secret',
  ]);
  const components = body['components'] as { schemas: Record<string, { required: string[] }> };
  expect(components.schemas['Call']?.required).toEqual(Object.keys(callSchema.shape));
});

/** Sends bytes as they are; 0 where the connection is closed without an answer. */
function statusOf(bytes: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(api.url);
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes));
    socket.once('data', (data) => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(data.toString('latin1'))?.[1]));
      socket.destroy();
    });
    socket.once('close', () => resolve(0));
    socket.once('error', reject);
  });
}
