import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

import { Decompress as ZstdDecompress } from 'fzstd';
import * as lz4js from 'lz4js';
import { uncompress as snappyDecompress } from 'snappyjs';

/** A batch of at most a few MB that unpacks to more is a mistake or an attack; nobody's memory pays for it. */
const maxDecompressedBytes = 64 * 1024 * 1024;

export type Decompress = (compressed: Buffer) => Buffer | Promise<Buffer>;

/** What Kafka's clients compress with, by the number in a record batch's attributes. */
export const decompressors = {
  gzip: gunzipRecords,
  snappy: unsnappyRecords,
  lz4: unlz4Records,
  zstd: unzstdRecords,
} as const satisfies Record<string, Decompress>;

async function gunzipRecords(compressed: Buffer): Promise<Buffer> {
  return promisify(gunzip)(compressed, { maxOutputLength: maxDecompressedBytes });
}

/** Java's clients frame snappy as the xerial library does: a header, then blocks with their length before them. */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const xerialHeaderBytes = 16;

function unsnappyRecords(compressed: Buffer): Buffer {
  if (!compressed.subarray(0, xerialMagic.length).equals(xerialMagic)) {
    return Buffer.from(snappyDecompress(new Uint8Array(compressed), maxDecompressedBytes));
  }
  const blocks: Buffer[] = [];
  let room = maxDecompressedBytes;
  for (let at = xerialHeaderBytes; at < compressed.length;) {
    const length = compressed.readInt32BE(at);
    if (length < 0) throw new Error('a snappy block has a negative length');
    at += 4;
    const block = Buffer.from(snappyDecompress(new Uint8Array(compressed.subarray(at, at + length)), room));
    blocks.push(block);
    room -= block.length;
    at += length;
  }
  return Buffer.concat(blocks);
}

/** Its types say that decompressBound returns nothing; it returns the most bytes that the frame can unpack to. */
const lz4: { decompressBound: (frame: Uint8Array) => unknown; decompress: (frame: Uint8Array) => Uint8Array } = lz4js;

function unlz4Records(compressed: Buffer): Buffer {
  const bound = lz4.decompressBound(compressed);
  if (typeof bound !== 'number' || bound > maxDecompressedBytes) throw tooLarge();
  return Buffer.from(lz4.decompress(compressed));
}

function unzstdRecords(compressed: Buffer): Buffer {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const stream = new ZstdDecompress((chunk) => {
    bytes += chunk.length;
    if (bytes > maxDecompressedBytes) throw tooLarge();
    chunks.push(chunk);
  });
  stream.push(compressed, true);
  return Buffer.concat(chunks);
}

function tooLarge(): Error {
  return new Error(`it unpacks to more than ${maxDecompressedBytes / 1024 / 1024} MB`);
}

/** A record batch that could not be decompressed, as told by its stand-in records. */
export interface UndecodableBatch {
  codec: string;
  reason: string;
  /** How many messages the batch holds. */
  messages: number;
}

/** Where stand-ins carry what they are; a name that no client can know, so that none can forge one. */
const standInHeader = `undecodable-${randomUUID()}`;

/**
 * A codec that cannot fail. kafkajs stops for good at a batch it cannot decompress, which would block the partition for
 * ever; here such a batch becomes as many stand-in messages as it holds, the first with the compressed bytes as its
 * value, the others empty, all told apart by `standInOf`.
 */
export function unfailing(codec: string, decompress: Decompress): (compressed: Buffer) => Promise<Buffer> {
  return async (compressed) => {
    const batch = recordBatchOf(compressed);
    try {
      const records = await decompress(compressed);
      if (batch && !holdsRecords(records, batch.messages)) throw new Error('what it unpacks to is not records');
      return records;
    } catch (error) {
      // Only the batch format since Kafka 0.11 says how many messages stand-ins are needed for.
      if (!batch) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      return standIns(compressed, batch, { codec, reason, messages: batch.messages });
    }
  };
}

/** @returns what is known of the batch a stand-in message stands for, or undefined for a client's own message */
export function standInOf(headers: Readonly<Record<string, unknown>> | undefined): UndecodableBatch | undefined {
  const told = headers?.[standInHeader];
  // Written by standIns below.
  return Buffer.isBuffer(told) ? (JSON.parse(told.toString()) as UndecodableBatch) : undefined;
}

interface RecordBatchHeader {
  messages: number;
  lastOffsetDelta: number;
}

/**
 * Reads the header that comes before the compressed records, in the buffer they are a part of.
 *
 * @see https://kafka.apache.org/documentation/#recordbatch
 */
function recordBatchOf(compressed: Buffer): RecordBatchHeader | undefined {
  const headerBytes = 61;
  if (compressed.byteOffset < headerBytes) return undefined;
  const header = Buffer.from(compressed.buffer, compressed.byteOffset - headerBytes, headerBytes);
  const [lengthAt, magicAt, lastOffsetDeltaAt, countAt] = [8, 16, 23, 57] as const;
  const bytesAfterLength = headerBytes - lengthAt - 4 + compressed.length;
  if (header.readInt32BE(lengthAt) !== bytesAfterLength || header.readInt8(magicAt) !== 2) return undefined;
  return { messages: header.readInt32BE(countAt), lastOffsetDelta: header.readInt32BE(lastOffsetDeltaAt) };
}

/** Whether the bytes are so many records, each with its length before it, and nothing else. */
function holdsRecords(bytes: Buffer, count: number): boolean {
  let at = 0;
  for (let record = 0; record < count; record++) {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 28) return false;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    at += (length >>> 1) ^ -(length & 1);
    if (at > bytes.length) return false;
  }
  return at === bytes.length;
}

function standIns(compressed: Buffer, batch: RecordBatchHeader, told: UndecodableBatch): Buffer {
  const header = [bytesOf(Buffer.from(standInHeader)), bytesOf(Buffer.from(JSON.stringify(told)))];
  const records = Array.from({ length: batch.messages }, (_, index) => {
    const last = index === batch.messages - 1;
    return bytesOf(
      Buffer.concat([
        Buffer.from([0]), // attributes
        varint(0), // timestamp delta
        varint(last ? batch.lastOffsetDelta : index),
        varint(-1), // no key
        index === 0 ? bytesOf(compressed) : varint(-1),
        varint(1), // headers
        ...header,
      ]),
    );
  });
  return Buffer.concat(records);
}

function bytesOf(bytes: Buffer): Buffer {
  return Buffer.concat([varint(bytes.length), bytes]);
}

/** Zigzag, then seven bits a byte, as Kafka's records have it. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
