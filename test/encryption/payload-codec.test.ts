import { randomBytes } from 'node:crypto';

import type { Payload } from '@temporalio/common';

import { EncryptionCodec, UnreadablePayloadError } from '../../src/encryption/payload-codec';
import { readPayloadKeys, type PayloadKey } from '../../src/encryption/payload-keys';

const key = (id: string): PayloadKey => ({ id, key: randomBytes(32) });
const [old, fresh] = [key('2026-01'), key('2026-07')];
const secret: Payload = {
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from('"+966501234567"'),
};
const plain = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString()]),
  ),
  data: Buffer.from(data ?? []).toString(),
});
const written = async (...keys: PayloadKey[]): Promise<Payload> => {
  const [payload] = await new EncryptionCodec(keys).encode([secret]);
  if (payload === undefined) throw new Error('nothing written');
  return payload;
};

test('a payload comes back whole, and nothing of it, its encoding neither, can be seen in between', async () => {
  const codec = new EncryptionCodec([old]);
  const payload = await written(old);
  expect(plain(payload).metadata).toEqual({
    encoding: 'binary/encrypted',
    'encryption-cipher': 'AES-256-GCM',
    'encryption-key-id': '2026-01',
  });
  expect(plain(payload).data).not.toMatch(/9665|json/);
  expect((await codec.decode([payload])).map(plain)).toEqual([plain(secret)]);
});

test('the same twice is never the same ciphertext', async () => {
  const [one, two] = await Promise.all([written(old), written(old)]);
  expect(Buffer.from(one.data ?? []).equals(Buffer.from(two.data ?? []))).toBe(false);
});

test('keys rotate: the first encrypts, and what an earlier one wrote is still read', async () => {
  const rotated = new EncryptionCodec([fresh, old]);
  expect((await rotated.decode([await written(old), await written(fresh)])).map(plain)).toEqual([
    plain(secret),
    plain(secret),
  ]);
  expect(plain(await written(fresh, old)).metadata).toMatchObject({ 'encryption-key-id': '2026-07' });
});

test('what is not encrypted is read as it is, with keys and without, and without keys written so', async () => {
  for (const keys of [[], [old]]) {
    expect(await new EncryptionCodec(keys).decode([secret])).toEqual([secret]);
  }
  expect(await new EncryptionCodec([]).encode([secret])).toEqual([secret]);
});

test('a payload whose key is not there is refused by the name of its key', async () => {
  const payload = await written(old);
  for (const keys of [[], [fresh]]) {
    await expect(new EncryptionCodec(keys).decode([payload])).rejects.toThrow(
      'a payload is encrypted with key "2026-01", not in PAYLOAD_KEYS',
    );
  }
});

test('a payload that was altered, cut short or encrypted with another key of that name is refused', async () => {
  const codec = new EncryptionCodec([old]);
  const payload = await written(old);
  const data = Buffer.from(payload.data ?? []);
  const altered = Buffer.from(data);
  altered[20] = (altered[20] ?? 0) ^ 1;
  for (const wrong of [altered, data.subarray(0, -1), data.subarray(0, 5), Buffer.alloc(0)]) {
    await expect(codec.decode([{ ...payload, data: wrong }])).rejects.toThrow(UnreadablePayloadError);
  }
  await expect(codec.decode([await written(key('2026-01'))])).rejects.toThrow('was altered');
});

test('for people, what cannot be read keeps nothing else from being read', async () => {
  const [readable, unreadable] = [await written(old), await written(fresh)];
  const shown = new EncryptionCodec([old]).decodeReadable([unreadable, readable, secret]);
  expect(shown[0]).toBe(unreadable);
  expect(shown.slice(1).map(plain)).toEqual([plain(secret), plain(secret)]);
});

test.each([
  ['no id', randomBytes(32).toString('base64')],
  ['too short a key', `a:${randomBytes(16).toString('base64')}`],
  ['hexadecimal', `a:${randomBytes(32).toString('hex')}`],
  ['one of two that is none', `a:${randomBytes(32).toString('base64')},b`],
  ['an id twice', `a:${randomBytes(32).toString('base64')},a:${randomBytes(32).toString('base64')}`],
])('keys with %s are refused, and not quoted', (_, text) => {
  const problem = readPayloadKeys(text);
  expect(typeof problem).toBe('string');
  for (const part of text.split(/[:,]/).filter((piece) => piece.length > 8)) expect(problem).not.toContain(part);
});
