import { request as httpRequest } from 'node:http';

import { problemSchema } from '../../src/api/schemas';
import { badFields, freshNumber, startApi, type Answer, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const postJson = (json: unknown) => api.request('POST', '/calls', { json });
const postRaw = (raw: string | Uint8Array, type = 'application/json') =>
  api.request('POST', '/calls', { raw, headers: { 'Content-Type': type } });

function expectProblem(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, code: answer.body['code'] }).toEqual({ status, code });
  expect(answer.headers.get('Content-Type')).toBe('application/problem+json');
  const problem = problemSchema.parse(answer.body);
  expect(problem.error).toBe(problem.detail);
  expect(answer.text).not.toMatch(/select |insert |at .*\.ts|node_modules/);
}

function nested(levels: number): unknown {
  return levels === 0 ? 1 : { a: nested(levels - 1) };
}

describe('bodies that are refused', () => {
  test.each([
    ['{bad', 'INVALID_JSON'],
    ['', 'INVALID_JSON'],
    ['[]', 'INVALID_REQUEST'],
    ['null', 'INVALID_REQUEST'],
    ['"x"', 'INVALID_REQUEST'],
    ['7', 'INVALID_REQUEST'],
    ['['.repeat(30_000), 'INVALID_JSON'],
  ])('%.10s gets 400', async (raw, code) => {
    expectProblem(await postRaw(raw), 400, code);
  });

  test('bytes that are not UTF-8 get 400', async () => {
    const body = Buffer.from(`{"to":"${freshNumber()}","scriptId":"\u00e9"}`, 'latin1');
    expectProblem(await postRaw(body), 400, 'INVALID_JSON');
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/vnd.x+json', 'application/json5'])(
    'a body of type %s gets 415',
    async (type) => {
      expectProblem(await postRaw('{"to":"+966501234567"}', type), 415, 'UNSUPPORTED_MEDIA_TYPE');
    },
  );

  test('a body without a type gets 415', async () => {
    expectProblem(await api.request('POST', '/calls', { raw: Buffer.from('{}') }), 415, 'UNSUPPORTED_MEDIA_TYPE');
  });

  test('2 MB with Content-Length gets 413', async () => {
    expectProblem(await postRaw('x'.repeat(2_000_000)), 413, 'PAYLOAD_TOO_LARGE');
  });

  test.each(['application/json', 'text/plain'])('an endless chunked %s gets 413 before its end', async (type) => {
    const { status, sent } = await sendWithoutEnd(type);
    expect(status).toBe(413);
    expect(sent).toBeLessThan(2_000_000);
  });

  test('64 KB exactly is read', async () => {
    const body = JSON.stringify({ to: freshNumber(), scriptId: 'testScript' });
    expect((await postRaw(body.padEnd(64 * 1024))).status).toBe(201);
    expectProblem(await postRaw(body.padEnd(64 * 1024 + 1)), 413, 'PAYLOAD_TOO_LARGE');
  });
});

describe('numbers that are refused', () => {
  test.each([
    '966501234567',
    '00966501234567',
    '+96650123456',
    '+9660501234567',
    '+966 50 123 4567',
    '+\u0669\u0666\u0666\u0665\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667',
    '+966501234567\n',
    '\u200e+966501234567',
    '\u202d+966501234567\u202c',
    'tel:+966501234567',
    '+966501234567;ext=5',
    '911',
    '',
    '+19005551234',
    '+870773111632',
    '+448457777777',
    '+966\u0000501234567',
    966501234567,
    null,
    ['+966501234567'],
    { number: '+966501234567' },
  ])('%j gets 400 naming `to`', async (to) => {
    const answer = await postJson({ to, scriptId: 'testScript' });
    expectProblem(answer, 400, 'INVALID_REQUEST');
    expect(badFields(answer)).toEqual(['to']);
  });

  test('premium numbers are called where the setting allows them', async () => {
    const generous = await startApi({ env: { ALLOWED_NUMBER_TYPES: 'MOBILE,PREMIUM_RATE' } });
    try {
      expect((await generous.acceptCall({ to: '+19005551234' })).payload.to).toBe('+19005551234');
    } finally {
      await generous.close();
    }
  });

  test('numbers of other countries than those that the setting allows get 400 naming `to`', async () => {
    const local = await startApi({ env: { ALLOWED_COUNTRIES: 'SA,AE' } });
    try {
      expect((await local.acceptCall({ to: '+971501234567' })).payload.to).toBe('+971501234567');
      const answer = await local.request('POST', '/calls', { json: { to: '+12015550123', scriptId: 'testScript' } });
      expectProblem(answer, 400, 'INVALID_REQUEST');
      expect(answer.body['error']).toMatch(/^to is of US/);
    } finally {
      await local.close();
    }
  });
});

describe('fields that are refused by name', () => {
  const valid = () => ({ to: freshNumber(), scriptId: 'testScript' });

  test.each([
    [{ status: 'COMPLETED' }, 'status'],
    [{ attempts: 0 }, 'attempts'],
    [{ requestId: 'a' }, 'requestId'],
    [{ scriptId: '' }, 'scriptId'],
    [{ scriptId: 'x'.repeat(129) }, 'scriptId'],
    [{ scriptId: 'a\u0000b' }, 'scriptId'],
    [{ scriptId: '\ud800' }, 'scriptId'],
    [{ scriptId: null }, 'scriptId'],
    [{ metadata: 'text' }, 'metadata'],
    [{ metadata: [] }, 'metadata'],
    [{ metadata: null }, 'metadata'],
    [{ metadata: { a: '\u0000' } }, 'metadata'],
    [{ metadata: { a: ['\udfff'] } }, 'metadata'],
    [{ metadata: { '\u0000': 1 } }, 'metadata'],
    [{ metadata: { a: 'x'.repeat(8 * 1024) } }, 'metadata'],
    [{ metadata: nested(9) }, 'metadata'],
    [{ expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    [{ expiresAt: 'tomorrow' }, 'expiresAt'],
    [{ expiresAt: '2999-02-30T00:00:00Z' }, 'expiresAt'],
    [{ expiresAt: '+275760-09-14T00:00:00Z' }, 'expiresAt'],
    [{ expiresAt: 4102444800 }, 'expiresAt'],
    [{ priority: 0 }, 'priority'],
    [{ priority: 6 }, 'priority'],
    [{ priority: 1.5 }, 'priority'],
    [{ priority: '1' }, 'priority'],
    [{ priority: null }, 'priority'],
  ])('%.60j gets 400 naming %s', async (fields, path) => {
    const answer = await postJson({ ...valid(), ...fields });
    expectProblem(answer, 400, 'INVALID_REQUEST');
    expect(badFields(answer)).toEqual([path]);
  });

  test('a missing field gets 400 naming it', async () => {
    const answer = await postJson({});
    expect(answer.body['errors']).toEqual([
      { path: 'to', message: 'is missing' },
      { path: 'scriptId', message: 'is missing' },
    ]);
  });

  test('every bad field is listed, not the first alone', async () => {
    const answer = await postJson({ to: '911', scriptId: '', metadata: 1, unknown: 1 });
    expect(badFields(answer).sort()).toEqual(['metadata', 'scriptId', 'to', 'unknown']);
  });

  test.each(['POST', 'PATCH'])('`__proto__` in a %s gets 400 naming it', async (method) => {
    const path = method === 'POST' ? '/calls' : `/calls/${(await api.acceptCall()).id}`;
    const raw = `{"to":"${freshNumber()}","scriptId":"s","__proto__":{"status":"COMPLETED"}}`;
    const answer = await api.request(method, path, { raw, headers: { 'Content-Type': 'application/json' } });
    expectProblem(answer, 400, 'INVALID_REQUEST');
    expect(badFields(answer)).toEqual(['__proto__']);
  });

  test('metadata of 8 levels and of numbers at their limits is kept as it came', async () => {
    const metadata = { deep: nested(7), big: 1.7976931348623157e308, small: 5e-324, negative: -0.1 };
    expect((await api.acceptCall({ metadata })).payload.metadata).toEqual(metadata);
  });

  test('a number beyond what JSON can carry gets 400', async () => {
    const raw = `{"to":"${freshNumber()}","scriptId":"s","metadata":{"a":1e999}}`;
    expectProblem(await postRaw(raw), 400, 'INVALID_REQUEST');
  });
});

/** Sends chunks until the answer comes. */
function sendWithoutEnd(type: string): Promise<{ status: number; sent: number }> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    const request = httpRequest(`${api.url}/calls`, { method: 'POST', headers: { 'Content-Type': type } });
    const chunk = Buffer.alloc(16 * 1024, ' ');
    const send = (): void => {
      if (request.destroyed || sent > 4_000_000) return;
      sent += chunk.length;
      request.write(chunk, () => setImmediate(send));
    };
    request.on('response', (response) => {
      resolve({ status: response.statusCode ?? 0, sent });
      request.destroy();
    });
    request.on('error', reject);
    send();
  });
}
