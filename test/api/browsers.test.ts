import { connect } from 'node:net';

import { startApi, type ApiUnderTest } from './api-under-test';

const ours = 'https://console.example.org';
const preflight = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization' };

let api: ApiUnderTest;
afterEach(() => api.close());

const corsHeaders = (headers: Headers) => [...headers.keys()].filter((name) => name.startsWith('access-control-'));

/** What `fetch` does not let one send: a Host of one's own. @returns the status line and what follows */
function ask(lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(api.url);
    let text = '';
    const socket = connect(Number(port), '127.0.0.1', () =>
      socket.write([...lines, 'Connection: close', '', ''].join('\r\n')),
    );
    socket.on('data', (data) => (text += data.toString()));
    socket.once('end', () => resolve(text));
    socket.once('error', reject);
  });
}

describe('pages of other origins', () => {
  test('are told nothing by default, and their preflights are refused', async () => {
    api = await startApi({ env: { API_KEYS: 'required' } });
    for (const [method, path] of [
      ['GET', '/health'],
      ['GET', '/openapi.json'],
      ['GET', '/calls'],
      ['OPTIONS', '/calls'],
    ] as const) {
      const answer = await api.request(method, path, { headers: { Origin: ours, ...preflight } });
      expect(corsHeaders(answer.headers)).toEqual([]);
      if (method === 'OPTIONS') expect(answer.status).toBe(405);
    }
  });

  test('may read the answers where CORS_ORIGINS names them, and no others may', async () => {
    api = await startApi({ env: { API_KEYS: 'required', CORS_ORIGINS: `http://localhost:8233, ${ours}` } });
    const asked = await fetch(`${api.url}/calls`, { method: 'OPTIONS', headers: { Origin: ours, ...preflight } });
    expect(asked.status).toBe(204);
    expect(asked.headers.get('Access-Control-Allow-Origin')).toBe(ours);
    expect(asked.headers.get('Access-Control-Allow-Headers')).toBe('authorization');
    expect(asked.headers.get('Access-Control-Allow-Credentials')).toBeNull();

    const answer = await api.request('GET', '/calls', { headers: { Origin: ours } });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe(ours);
    expect(answer.headers.get('Access-Control-Expose-Headers')).toContain('Retry-After');

    for (const other of ['https://example.org', `${ours}.evil.example`, 'null']) {
      const refused = await api.request('GET', '/health', { headers: { Origin: other } });
      expect(refused.headers.get('Access-Control-Allow-Origin')).toBeNull();
    }
  });
});

describe('without keys, on loopback', () => {
  beforeEach(async () => {
    api = await startApi({ env: { CORS_ORIGINS: ours, PUBLIC_BASE_URL: 'https://calls.example.org' } });
  });

  test.each(['https://evil.example', 'http://localhost:1', 'null', 'no origin'])(
    'a page of %s can neither read nor do anything, though it needs no preflight',
    async (origin) => {
      for (const [method, path] of [
        ['GET', '/calls'],
        ['POST', '/calls/8a5ba5a0-6a5e-4b7e-9d0c-1f2e3d4c5b6a/cancel'],
      ] as const) {
        const answer = await api.request(method, path, { headers: { Origin: origin } });
        expect([answer.status, answer.body['code']]).toEqual([403, 'FORBIDDEN']);
      }
    },
  );

  test('its own pages, those that CORS_ORIGINS names, and what is no browser may', async () => {
    for (const headers of [{ Origin: api.url }, { Origin: ours }, {}]) {
      expect((await api.request('GET', '/calls', { headers })).status).toBe(200);
    }
  });

  test('a name that somebody has made to point here is not answered to', async () => {
    const { port } = new URL(api.url);
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', '10.0.0.1', 'localhost.']) {
      expect(await ask(['GET /calls HTTP/1.1', `Host: ${host}`])).toMatch(/^HTTP\/1\.1 403 .*FORBIDDEN/s);
    }
    for (const host of [`127.0.0.1:${port}`, 'localhost', '[::1]', '127.1.2.3', 'calls.example.org']) {
      expect(await ask(['GET /calls HTTP/1.1', `Host: ${host}`])).toMatch(/^HTTP\/1\.1 200 /);
    }
  });

  test('the provider and machines are answered under any name', async () => {
    for (const path of ['/health', '/ready']) {
      expect(await ask([`GET ${path} HTTP/1.1`, 'Host: evil.example'])).toMatch(/^HTTP\/1\.1 200 /);
    }
    expect(await ask(['POST /callbacks/call-status HTTP/1.1', 'Host: evil.example'])).toMatch(/INVALID_SIGNATURE/);
  });
});

test('with keys the API is answered to under any name: a page of another site has no key to send', async () => {
  api = await startApi({ env: { API_KEYS: 'required', ADMIN_API_KEY: 'x'.repeat(32) } });
  const key = `Authorization: Bearer ${'x'.repeat(32)}`;
  expect(await ask(['GET /calls HTTP/1.1', 'Host: calls.example.org', key])).toMatch(/^HTTP\/1\.1 200 /);
  expect(await ask(['GET /calls HTTP/1.1', 'Host: calls.example.org'])).toMatch(/^HTTP\/1\.1 401 /);
});
