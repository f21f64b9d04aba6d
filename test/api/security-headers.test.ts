import { connect } from 'node:net';

import { createKey } from '../../src/access/keys';
import { securityHeaders } from '../../src/api/security-headers';
import { startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
let key: string;
beforeAll(async () => {
  api = await startApi({
    env: { API_KEYS: 'required', CORS_ORIGINS: 'https://example.org', RATE_LIMIT_PER_MINUTE: '0' },
  });
  key = (await createKey(api.db, { name: 'all', access: 'admin' })).text;
});
afterAll(() => api.close());

/** Every answer there is: of each route with and without a key, and of what is no route's. */
async function everyAnswer(): Promise<[string, Headers][]> {
  const { body } = await api.request('GET', '/openapi.json');
  const described = Object.entries(body['paths'] as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => [method.toUpperCase(), path.replaceAll(/\{\w+\}/g, '7')] as const),
  );
  const others = [
    ['GET', '/'],
    ['GET', '/docs'],
    ['GET', '/docs/start.js'],
    ['GET', '/docs/swagger-ui.css'],
    ['GET', '/docs/swagger-ui-bundle.js'],
    ['GET', '/openapi.json'],
    ['GET', '/unknown'],
    ['DELETE', '/calls'],
    ['OPTIONS', '/calls'],
  ] as const;
  const answers: [string, Headers][] = [];
  for (const [method, path] of [...described, ...others]) {
    for (const headers of [{}, { Authorization: `Bearer ${key}` }]) {
      const response = await fetch(`${api.url}${path}`, { method, headers, redirect: 'manual' });
      await response.body?.cancel();
      answers.push([`${method} ${path} ${response.status}`, response.headers]);
    }
  }
  return answers;
}

test('every answer forbids sniffing, framing, passing on and running anything', async () => {
  const answers = await everyAnswer();
  expect(answers.length).toBeGreaterThan(40);
  for (const [what, headers] of answers) {
    for (const [name, value] of Object.entries(securityHeaders)) {
      if (/ \/(docs|assets)/.test(what) && ['Content-Security-Policy', 'Cache-Control'].includes(name)) continue;
      if (what.startsWith('GET / ') && name === 'Content-Security-Policy') continue;
      expect([what, name, headers.get(name)]).toEqual([what, name, value]);
    }
    expect([what, headers.get('X-Powered-By'), headers.get('Server')]).toEqual([what, null, null]);
  }
});

test('the page at /docs may run what this server serves, talk to it, and nothing else', async () => {
  const { headers } = await api.request('GET', '/docs');
  const policy = new Map(
    (headers.get('Content-Security-Policy') ?? '').split(';').map((directive) => {
      const [name = '', ...sources] = directive.trim().split(' ');
      return [name, sources.join(' ')] as const;
    }),
  );
  expect(Object.fromEntries(policy)).toEqual({
    'default-src': "'none'",
    'script-src': "'self'",
    'style-src': "'self' 'unsafe-inline'",
    'img-src': "'self' data:",
    'connect-src': "'self'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
  });
});

test('a request too malformed to reach a route is answered with them as well', async () => {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\nHost: a b\r\n\r\n'),
    );
    socket.once('data', (data) => {
      resolve(data.toString());
      socket.destroy();
    });
    socket.once('error', reject);
  });
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  for (const [name, value] of Object.entries(securityHeaders)) {
    expect(text.toLowerCase()).toContain(`${name}: ${value}\r\n`.toLowerCase());
  }
});
