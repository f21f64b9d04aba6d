import { gzipSync } from 'node:zlib';

import { compress as lz4 } from 'lz4js';
import { compress as snappy } from 'snappyjs';

import { decompressors } from '../../src/events/record-codecs';

const plain = Buffer.from(JSON.stringify({ to: '+966501234567', filler: 'abc'.repeat(20_000) }));

function xerial(blocks: readonly Buffer[]): Buffer {
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  return Buffer.concat([header, ...blocks.flatMap((block) => [int32(block.length), block])]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const snappyBlock = (bytes: Buffer) => Buffer.from(snappy(new Uint8Array(bytes)));

/** The output of `zstd --ultra -19` for 30 times "calls.requests ". */
const zstdFrame = Buffer.from('KLUv/WDCALUAAHhjYWxscy5yZXF1ZXN0cyABALCizjo=', 'base64');

test.each([
  ['gzip', 'as zlib writes it', gzipSync(plain)],
  ['snappy', 'as one block', snappyBlock(plain)],
  [
    'snappy',
    'in the framing of Java clients',
    xerial([snappyBlock(plain.subarray(0, 1_000)), snappyBlock(plain.subarray(1_000))]),
  ],
  ['lz4', 'as a frame', Buffer.from(lz4(plain))],
] as const)('%s %s is read', async (codec, _, compressed) => {
  expect(await decompressors[codec](compressed)).toEqual(plain);
});

test('zstd is read', () => {
  expect(String(decompressors.zstd(zstdFrame))).toBe('calls.requests '.repeat(30));
});

test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('%s that is broken is an error', async (codec) => {
  await expect(Promise.resolve().then(() => decompressors[codec](Buffer.from('not compressed')))).rejects.toThrow();
});

test('little that unpacks to very much is an error', async () => {
  await expect(decompressors.gzip(gzipSync(Buffer.alloc(80 * 1024 * 1024)))).rejects.toThrow();
});
