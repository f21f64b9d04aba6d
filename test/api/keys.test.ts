import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { createKey, listKeys, revokeKey } from '../../src/access/keys';
import { keyAccesses, type KeyAccess } from '../../src/call/access';
import { openDatabase } from '../../src/store/database';
import { waitUntil } from '../support/wait-until';
import { freshNumber, startApi, type ApiUnderTest } from './api-under-test';

const adminKey = 'the-first-key-of-all_0123456789.abc';
const bearer = (text: string) => ({ Authorization: `Bearer ${text}` });

let api: ApiUnderTest;
const keys = {} as Record<KeyAccess, string>;
beforeAll(async () => {
  api = await startApi({ env: { API_KEYS: 'required', ADMIN_API_KEY: adminKey, RATE_LIMIT_PER_MINUTE: '0' } });
  for (const access of keyAccesses) keys[access] = (await createKey(api.db, { name: access, access })).text;
});
afterAll(() => api.close());

interface Operation {
  method: string;
  path: string;
  asksFor: KeyAccess | undefined;
}

/** Each that /openapi.json describes; its security there is what the route table says. */
async function operations(): Promise<Operation[]> {
  const { body } = await api.request('GET', '/openapi.json');
  const paths = body['paths'] as Record<string, Record<string, { security?: { bearer: [KeyAccess] }[] }>>;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, '8a5ba5a0-6a5e-4b7e-9d0c-1f2e3d4c5b6a'),
      asksFor: security?.[0]?.bearer[0],
    })),
  );
}

/** The code of the problem it is answered with, if any. Of another answer nothing is read: a stream has no end. */
async function problemOf({ method, path }: Operation, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(`${api.url}${path}`, { method, headers });
  if (response.status >= 400) return ((await response.json()) as { code?: string }).code;
  await response.body?.cancel();
  return undefined;
}

describe('with API_KEYS=required', () => {
  test('each endpoint asks for a key, but for those that the provider and machines come to, the description and the page', async () => {
    const all = await operations();
    expect(all.filter(({ asksFor }) => asksFor === undefined).map(({ path }) => path)).toEqual([
      '/callbacks/call-status',
      '/health',
      '/ready',
      '/openapi.json',
      '/docs',
      '/',
    ]);
    for (const operation of all) {
      const needsKey = operation.asksFor !== undefined;
      expect([operation, (await problemOf(operation)) === 'UNAUTHENTICATED']).toEqual([operation, needsKey]);
    }
    for (const path of ['/docs', '/docs/start.js', '/openapi.json', '/health']) {
      expect((await api.request('GET', path)).status).toBe(200);
    }
  });

  test('what changes something asks for more than to read', async () => {
    for (const { method, path, asksFor } of await operations()) {
      if (asksFor === undefined) continue;
      if (method === 'GET') expect(['read', 'admin']).toContain(asksFor);
      else expect([path, ['write', 'admin'].includes(asksFor)]).toEqual([path, true]);
    }
  });

  test.each(keyAccesses)('a key that may %s gets so far and no further', async (access) => {
    for (const operation of await operations()) {
      if (operation.asksFor === undefined) continue;
      const enough = keyAccesses.indexOf(access) >= keyAccesses.indexOf(operation.asksFor);
      const problem = await problemOf(operation, bearer(keys[access]));
      expect([operation, problem === 'FORBIDDEN']).toEqual([operation, !enough]);
      expect(problem).not.toBe('UNAUTHENTICATED');
    }
  });

  test('a call is made with a key, and the log names the key by its id', async () => {
    const headers = { ...bearer(keys.write), 'X-Request-Id': 'with-a-key' };
    const made = await api.request('POST', '/calls', { json: { to: freshNumber(), scriptId: 'testScript' }, headers });
    expect(made.status).toBe(201);
    const [, keyId] = keys.write.split('_');
    expect(api.logLines.find((line) => line['requestId'] === 'with-a-key')).toMatchObject({ keyId });
    await waitUntil('its use is noted', async () =>
      (await listKeys(api.db)).some(({ id, lastUsedAt }) => id === keyId && lastUsedAt !== null),
    );
  });

  test('the key of the setting may do everything', async () => {
    for (const scheme of ['Bearer', 'bearer']) {
      const answer = await api.request('GET', '/calls', { headers: { Authorization: `${scheme} ${adminKey}` } });
      expect(answer.status).toBe(200);
    }
  });

  test.each<[string, string | undefined, RegExp]>([
    ['none', undefined, /^Bearer$/],
    ['another scheme', 'Basic YTpi', /^Bearer$/],
    ['the key alone', adminKey, /^Bearer$/],
    ['two keys', `Bearer ${adminKey} ${adminKey}`, /^Bearer$/],
    ['a part of the key of the setting', `Bearer ${adminKey.slice(0, -1)}`, /invalid_token/],
    ['more than the key of the setting', `Bearer ${adminKey}x`, /invalid_token/],
    ['a key that nobody made', `Bearer aco_0123456789ab_${'A'.repeat(43)}`, /invalid_token/],
    ['very much', `Bearer ${'x'.repeat(8_000)}`, /invalid_token/],
  ])('%s gets 401, and is told how', async (_, authorization, challenge) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
    const answer = await api.request('GET', '/calls', { headers });
    expect([answer.status, answer.body['code']]).toEqual([401, 'UNAUTHENTICATED']);
    expect(answer.headers.get('WWW-Authenticate')).toMatch(challenge);
    expect(answer.headers.get('RateLimit-Limit')).toBeNull();
  });

  test('the id of a key with another secret gets 401', async () => {
    const forged = keys.admin.slice(0, -43) + keys.read.slice(-43);
    expect((await api.request('GET', '/calls', { headers: bearer(forged) })).status).toBe(401);
  });

  test('a key that may not gets 403, and is told what is asked for', async () => {
    const answer = await api.request('POST', '/calls', { headers: bearer(keys.read) });
    expect([answer.status, answer.body['code']]).toEqual([403, 'FORBIDDEN']);
    expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer error="insufficient_scope", scope="write"');
  });

  test('an unknown body is not looked at before the key is', async () => {
    const answer = await api.request('POST', '/calls', { raw: 'x'.repeat(200_000) });
    expect(answer.status).toBe(401);
  });

  test('a key is good from the moment it is made, and for 5 s after it is revoked at most', async () => {
    const { key, text } = await createKey(api.db, { name: 'passing', access: 'read' });
    expect((await api.request('GET', '/calls', { headers: bearer(text) })).status).toBe(200);
    await revokeKey(api.db, key.id);
    const revokedAt = performance.now();
    await waitUntil(
      'it is refused',
      async () => (await api.request('GET', '/calls', { headers: bearer(text) })).status === 401,
    );
    expect(performance.now() - revokedAt).toBeLessThan(6_000);
  });

  test('keys that nobody made cost the database five looks a second, however many are sent', async () => {
    const queries = jest.spyOn(api.db, 'selectFrom');
    const beganAt = performance.now();
    const unknown = (n: number) => `aco_${String(n).padStart(12, '0')}_${'A'.repeat(43)}`;
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) => api.request('GET', '/calls', { headers: bearer(unknown(n)) })),
    );
    const seconds = (performance.now() - beganAt) / 1_000;
    expect(answers.filter(({ status }) => status !== 401)).toEqual([]);
    const looks = queries.mock.calls.filter(([table]) => table === 'api_keys').length;
    queries.mockRestore();
    expect(looks).toBeGreaterThan(0);
    expect(looks).toBeLessThanOrEqual(Math.ceil(seconds * 5) + 1);
  });
});

test('while PostgreSQL is away a key that has to be looked up gets 503, and that of the setting is known', async () => {
  const hungUp = createServer((socket) => socket.resume().end()).listen(0, '127.0.0.1');
  await once(hungUp, 'listening');
  const url = `postgres://nobody@127.0.0.1:${(hungUp.address() as AddressInfo).port}/nothing`;
  const db = openDatabase(url, { poolSize: 2, onIdleError: () => undefined });
  const env = { API_KEYS: 'required', ADMIN_API_KEY: adminKey };
  const away = await startApi({ env, database: { db, url, drop: () => db.destroy() } });
  try {
    const answer = await away.request('GET', '/calls/7', { headers: bearer(keys.read) });
    expect([answer.status, answer.body['code']]).toEqual([503, 'DEPENDENCY_UNAVAILABLE']);
    const byAdmin = await away.request('GET', '/calls/7', { headers: bearer(adminKey) });
    expect([byAdmin.status, byAdmin.body['code']]).toEqual([400, 'INVALID_ID']);
  } finally {
    await away.close();
    hungUp.close();
  }
});

test('with API_KEYS=off no key is asked for, and the description says that none need be sent', async () => {
  const open = await startApi();
  try {
    expect((await open.request('GET', '/calls')).status).toBe(200);
    const { body } = await open.request('GET', '/openapi.json');
    expect(body).toMatchObject({ paths: { '/calls': { get: { security: [{}, { bearer: ['read'] }] } } } });
  } finally {
    await open.close();
  }
});
