import { randomBytes } from 'node:crypto';

import { EncryptionCodec } from '../../src/encryption/payload-codec';
import { readConfig } from '../../src/config';
import { badFields, startApi, type ApiUnderTest } from './api-under-test';

const key = `now:${randomBytes(32).toString('base64')}`;
const base64 = (text: string) => Buffer.from(text).toString('base64');
const plain = { metadata: { encoding: base64('json/plain') }, data: base64('{"title":"script"}') };

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ env: { PAYLOAD_KEYS: key } });
});
afterAll(() => api.close());

const post = (path: string, payloads: unknown) => api.request('POST', path, { json: { payloads } });

test('what is encoded by one is decoded by the other, in its order', async () => {
  const other = { ...plain, data: base64('2') };
  const encoded = await post('/codec/encode', [plain, other]);
  expect(encoded.status).toBe(200);
  expect(encoded.text).not.toContain(plain.data);
  const { payloads } = encoded.body as { payloads: { metadata: Record<string, string> }[] };
  expect(payloads.map(({ metadata }) => metadata['encoding'])).toEqual(Array(2).fill(base64('binary/encrypted')));
  const decoded = await post('/codec/decode', payloads);
  expect([decoded.status, decoded.body]).toEqual([200, { payloads: [plain, other] }]);
});

test('what a worker encrypted is decoded; what is not encrypted, or with a key that is gone, stays as it is', async () => {
  const encrypt = async (keys: string) => {
    const codec = new EncryptionCodec(readConfig({ PAYLOAD_KEYS: keys }).PAYLOAD_KEYS ?? []);
    const [payload] = await codec.encode([
      { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('1') },
    ]);
    const metadata = Object.entries(payload?.metadata ?? {}).map(([name, value]) => [name, base64(String(value))]);
    return {
      metadata: Object.fromEntries(metadata) as object,
      data: Buffer.from(payload?.data ?? []).toString('base64'),
    };
  };
  const gone = await encrypt(`gone:${randomBytes(32).toString('base64')}`);
  const answer = await post('/codec/decode', [gone, await encrypt(key), plain, {}]);
  expect(answer.body).toEqual({ payloads: [gone, { ...plain, data: base64('1') }, plain, { metadata: {}, data: '' }] });
});

test('a page of a history is let in, which is larger than a call may be', async () => {
  const large = { ...plain, data: base64('x'.repeat(200_000)) };
  expect((await post('/codec/decode', [large])).body).toEqual({ payloads: [large] });
});

test.each(['/codec/encode', '/codec/decode'])('POST %s refuses what is not payloads', async (path) => {
  expect(badFields(await post(path, [{ data: 'ä' }]))).toEqual(['payloads.0.data']);
  expect(badFields(await api.request('POST', path, { json: {} }))).toEqual(['payloads']);
  const raw = (body: string, type: string) =>
    api.request('POST', path, { raw: body, headers: { 'Content-Type': type } });
  expect((await raw('{bad', 'application/json')).body).toMatchObject({ status: 400, code: 'INVALID_JSON' });
  expect((await raw('{"payloads":[]}', 'text/plain')).status).toBe(415);
  expect((await raw(`"${'x'.repeat(4 * 1024 * 1024)}"`, 'application/json')).status).toBe(413);
});

test('the Web UI of another origin may ask, with the headers it sends, where CORS_ORIGINS names it', async () => {
  const ui = 'http://127.0.0.1:8233';
  const own = await startApi({ env: { PAYLOAD_KEYS: key, CORS_ORIGINS: ui } });
  const asks = { Origin: ui, 'Access-Control-Request-Method': 'POST' };
  const headers = { ...asks, 'Access-Control-Request-Headers': 'content-type,x-namespace' };
  const preflight = await own.request('OPTIONS', '/codec/decode', { headers });
  expect(preflight.headers.get('Access-Control-Allow-Origin')).toBe(ui);
  expect(preflight.headers.get('Access-Control-Allow-Headers')).toBe('content-type,x-namespace');
  const json = { payloads: [plain] };
  const answer = await own.request('POST', '/codec/decode', {
    json,
    headers: { Origin: ui, 'X-Namespace': 'default' },
  });
  expect([answer.status, answer.headers.get('Access-Control-Allow-Origin')]).toEqual([200, ui]);
  await own.close();
});
