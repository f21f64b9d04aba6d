import { createServer, type AddressInfo } from 'node:net';

import { HttpProvider } from '../../src/provider/http-provider';
import type { DialRequest } from '../../src/provider/provider';
import { answering, startProviderServer, type ProviderServer } from './provider-server';

let server: ProviderServer;
const request: DialRequest = {
  attemptId: '6f1c2f5e-6d1e-4b62-9a8e-0f6a7a3c1d11',
  to: '+966501234567',
  scriptId: 'test "script"',
  metadata: { name: 'Ümit 😀', nested: [1, null, { a: true }] },
};

beforeEach(async () => {
  server = await startProviderServer();
});
afterEach(() => server.close());

const providerAt = (url: string, timeoutSeconds = 5) =>
  new HttpProvider({
    PROVIDER_BASE_URL: url,
    PUBLIC_BASE_URL: 'https://calls.example.org/base',
    PROVIDER_TIMEOUT_SECONDS: timeoutSeconds,
  });
const provider = () => providerAt(server.url);

describe('what the provider is asked', () => {
  test('a dial carries the call, the attempt as its idempotency key, and a webhook URL that names the attempt', async () => {
    server.answer = answering(202, { callId: 'c-1' });
    await provider().dial(request);
    const [dial, ...others] = server.received;
    expect(others).toEqual([]);
    expect(dial).toMatchObject({ method: 'POST', path: '/api/v1/calls' });
    expect(dial?.headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': request.attemptId,
    });
    const { attemptId, ...call } = request;
    expect(JSON.parse(dial?.body ?? '')).toEqual({
      ...call,
      webhookUrl: `https://calls.example.org/base/callbacks/call-status?attempt=${attemptId}`,
    });
  });

  test('a look-up and a hang-up name the call as the provider does, whatever stands in its id', async () => {
    server.answer = answering(200, { status: 'IN_PROGRESS' });
    await provider().lookUp('a/../b?c#d e');
    await provider().hangUp('a/../b?c#d e');
    expect(server.received.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/v1/calls/a%2F..%2Fb%3Fc%23d%20e',
      'POST /api/v1/calls/a%2F..%2Fb%3Fc%23d%20e/hangup',
    ]);
  });

  test('a base URL with a path of its own keeps it', async () => {
    server.answer = answering(202, { callId: 'c-1' });
    await providerAt(`${server.url}/voice`).dial(request);
    expect(server.received[0]?.path).toBe('/voice/api/v1/calls');
  });
});

describe('the answer to a dial', () => {
  test.each([200, 201, 202])('%d with a callId has placed the call', async (status) => {
    server.answer = answering(status, { callId: 'c-1', more: true });
    expect(await provider().dial(request)).toEqual({ kind: 'ACCEPTED', externalCallId: 'c-1' });
  });

  test.each([
    ['no callId', {}],
    ['an empty callId', { callId: '' }],
    ['a callId that is no text', { callId: 7 }],
    ['a callId too long to keep', { callId: 'x'.repeat(256) }],
    ['a callId that cannot be stored', { callId: 'a\0b' }],
    ['no JSON', '<html>ok</html>'],
    ['nothing', ''],
    ['null', 'null'],
  ])('202 with %s may have placed the call: nobody knows', async (_, body) => {
    server.answer = answering(202, body);
    expect(await provider().dial(request)).toMatchObject({ kind: 'UNKNOWN' });
  });

  test.each([400, 401, 402, 403, 404, 405, 410, 422, 451])('%d refuses the call for good', async (status) => {
    server.answer = answering(status);
    expect(await provider().dial(request)).toEqual({
      kind: 'REFUSED',
      final: true,
      reason: `provider answered ${status}`,
    });
  });

  test.each([408, 409, 425])('%d refuses this attempt; another may fare better', async (status) => {
    server.answer = answering(status);
    expect(await provider().dial(request)).toMatchObject({ kind: 'REFUSED', final: false });
  });

  test.each([429, 503])('%d says: not now, and nothing was placed', async (status) => {
    server.answer = answering(status, '', { 'retry-after': '1' });
    expect(await provider().dial(request)).toMatchObject({ kind: 'BUSY' });
  });

  test.each([500, 501, 502, 504, 599])(
    '%d may come from a gateway behind which the call was placed',
    async (status) => {
      server.answer = answering(status, '<html>');
      expect(await provider().dial(request)).toEqual({ kind: 'UNKNOWN', reason: `provider answered ${status}` });
    },
  );

  test.each([301, 302, 303, 307, 308])(
    'a redirect (%d) is not followed: the call goes to the provider only',
    async (status) => {
      const elsewhere = await startProviderServer();
      elsewhere.answer = answering(202, { callId: 'stolen' });
      server.answer = answering(status, '', { location: `${elsewhere.url}/api/v1/calls` });
      expect(await provider().dial(request)).toMatchObject({ kind: 'UNKNOWN' });
      expect(elsewhere.received).toEqual([]);
      await elsewhere.close();
    },
  );

  test.each([
    ['detail', { title: 't', detail: 'number is barred' }],
    ['error', { error: 'number is barred' }],
    ['message', { message: 'number is barred' }],
  ])('tells its reason in the provider’s own words (%s)', async (_, body) => {
    server.answer = answering(400, body);
    expect(await provider().dial(request)).toMatchObject({ reason: 'provider answered 400: number is barred' });
  });

  test.each([
    ['of 10,000 characters', 'x'.repeat(10_000)],
    ['with a NUL', 'a\0b'],
    ['cut in the middle of a character', `${'x'.repeat(199)}😀`],
  ])('a reason %s is made one that can be kept', async (_, detail) => {
    server.answer = answering(400, { detail });
    const answer = await provider().dial(request);
    const reason = 'reason' in answer ? answer.reason : '';
    expect(reason.length).toBeLessThan(300);
    expect(reason).not.toContain('\0');
    expect(reason.isWellFormed()).toBe(true);
  });
});

describe('an answer to a dial that does not come', () => {
  test.each(['127.0.0.1', 'localhost'])('a connection that is refused (%s) placed nothing', async (host) => {
    const { port } = new URL(server.url);
    await server.close();
    expect(await providerAt(`http://${host}:${port}`).dial(request)).toMatchObject({
      kind: 'BUSY',
      reason: expect.stringMatching(/^provider not reached: ./) as string,
    });
  });

  test('a name that does not resolve placed nothing', async () => {
    expect(await providerAt('http://provider.invalid').dial(request)).toMatchObject({ kind: 'BUSY' });
  });

  test('a provider that hangs is given up after PROVIDER_TIMEOUT_SECONDS; the call may have been placed', async () => {
    server.answer = () => undefined;
    const began = Date.now();
    expect(await providerAt(server.url, 0.3).dial(request)).toMatchObject({ kind: 'UNKNOWN' });
    expect(Date.now() - began).toBeGreaterThanOrEqual(290);
    expect(Date.now() - began).toBeLessThan(5_000);
    expect(server.received).toHaveLength(1);
  });

  test('a provider that hangs in the middle of its answer is given up as well', async () => {
    server.answer = (response) => response.writeHead(202).write('{"callId":');
    expect(await providerAt(server.url, 0.3).dial(request)).toMatchObject({ kind: 'UNKNOWN' });
  });

  test('a connection that is cut after the request may have placed the call, and is not dialled again', async () => {
    server.answer = (_, socket) => socket.destroy();
    expect(await provider().dial(request)).toMatchObject({ kind: 'UNKNOWN' });
    expect(server.received).toHaveLength(1);
  });

  test('a connection that is cut in the middle of the answer may have placed the call', async () => {
    server.answer = (response, socket) => {
      response.writeHead(202, { 'content-length': '100' }).write('{"callId":');
      setImmediate(() => socket.destroy());
    };
    expect(await provider().dial(request)).toMatchObject({ kind: 'UNKNOWN' });
  });

  test('an answer that is not HTTP may stand for a placed call', async () => {
    const odd = createServer((socket) => socket.on('error', () => undefined).end('hello\r\n\r\n'));
    await new Promise<void>((resolve) => odd.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(odd.address() as AddressInfo).port}`;
    expect(await providerAt(url).dial(request)).toMatchObject({ kind: 'UNKNOWN' });
    odd.close();
  });

  test('a base URL that leads nowhere is an answer as well: no dial ever rejects', async () => {
    expect(await providerAt('http://[').dial(request)).toMatchObject({ kind: 'UNKNOWN' });
  });
});

describe('a look-up', () => {
  test.each(['COMPLETED', 'FAILED', 'BUSY', 'NO_ANSWER'] as const)(
    'of a call that is %s tells how it ended',
    async (status) => {
      server.answer = answering(200, { callId: 'c', status, durationSec: 12.6, failureReason: 'why' });
      expect(await provider().lookUp('c')).toEqual({ kind: 'ENDED', status, durationSec: 13, failureReason: 'why' });
    },
  );

  test('of an ended call without duration and reason tells of none', async () => {
    for (const more of [{}, { durationSec: null, failureReason: null }]) {
      server.answer = answering(200, { status: 'COMPLETED', ...more });
      expect(await provider().lookUp('c')).toMatchObject({ kind: 'ENDED', durationSec: null, failureReason: null });
    }
  });

  test.each(['IN_PROGRESS', 'RINGING', 'QUEUED', 'completed', ''])(
    'of a call that is %p says it is live: only a known end ends it',
    async (status) => {
      server.answer = answering(200, { status });
      expect(await provider().lookUp('c')).toEqual({ kind: 'LIVE' });
    },
  );

  test('of an ended call keeps to what can be stored, whatever the provider says besides', async () => {
    server.answer = answering(200, { status: 'FAILED', durationSec: 1e15, failureReason: `a\0${'x'.repeat(5_000)}` });
    const state = await provider().lookUp('c');
    if (state.kind !== 'ENDED') throw new Error(state.kind);
    expect(state.failureReason).not.toContain('\0');
    expect(state.failureReason?.length).toBeLessThanOrEqual(1_000);
    expect(state.durationSec).toBeNull();
  });

  test.each([-1, '12', 1e15, {}])(
    'of an ended call is heard, though it says %p for its duration',
    async (durationSec) => {
      server.answer = answering(200, { status: 'COMPLETED', durationSec, failureReason: 5 });
      expect(await provider().lookUp('c')).toEqual({
        kind: 'ENDED',
        status: 'COMPLETED',
        durationSec: null,
        failureReason: null,
      });
    },
  );

  test.each([404, 405, 501])(
    'answered %d is of a call that is not known, or by a provider that cannot tell',
    async (status) => {
      server.answer = answering(status, '<html>');
      expect(await provider().lookUp('c')).toEqual({ kind: 'UNKNOWN' });
    },
  );

  test.each([401, 408, 429, 500, 502, 503, 302])('answered %d decides nothing: it rejects', async (status) => {
    server.answer = answering(status, '', { location: `${server.url}/elsewhere` });
    await expect(provider().lookUp('c')).rejects.toThrow(String(status));
    expect(server.received).toHaveLength(1);
  });

  test.each(['', 'null', '<html>', '{"status":5}', '{}'])(
    'answered 200 with %p decides nothing: it rejects',
    async (body) => {
      server.answer = answering(200, body);
      await expect(provider().lookUp('c')).rejects.toThrow();
    },
  );

  test('rejects while the provider is away or hangs', async () => {
    server.answer = () => undefined;
    await expect(providerAt(server.url, 0.2).lookUp('c')).rejects.toThrow();
    await server.close();
    await expect(provider().lookUp('c')).rejects.toThrow();
  });
});

describe('a hang-up', () => {
  test.each([200, 202, 204])('answered %d was heard', async (status) => {
    server.answer = answering(status);
    expect(await provider().hangUp('c')).toBe(true);
  });

  test.each([404, 405, 501])('answered %d is what the provider cannot do', async (status) => {
    server.answer = answering(status);
    expect(await provider().hangUp('c')).toBe(false);
  });

  test.each([400, 409, 429, 500, 503, 302])('answered %d decides nothing: it rejects', async (status) => {
    server.answer = answering(status, '', { location: `${server.url}/elsewhere` });
    await expect(provider().hangUp('c')).rejects.toThrow(String(status));
  });

  test('rejects while the provider is away or hangs', async () => {
    server.answer = () => undefined;
    await expect(providerAt(server.url, 0.2).hangUp('c')).rejects.toThrow();
    await server.close();
    await expect(provider().hangUp('c')).rejects.toThrow();
  });
});
