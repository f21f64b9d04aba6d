import type { Payload } from '@temporalio/common';

import { EncryptionCodec } from '../../src/encryption/payload-codec';
import type { PayloadKey } from '../../src/encryption/payload-keys';

interface JsonPayload {
  metadata: Record<string, string>;
  data?: string;
}

/** Never encrypted: what Temporal searches by, headers, and what the SDK notes for itself of a local activity. */
const left = new Set(['searchAttributes', 'header']);

/** A recorded history as a worker with that key would have written it. */
export async function encryptHistory(history: unknown, key: PayloadKey): Promise<unknown> {
  const codec = new EncryptionCodec([key]);
  const walk = async (value: unknown, name: string): Promise<unknown> => {
    if (Array.isArray(value)) return Promise.all(value.map((one) => walk(one, name)));
    if (typeof value !== 'object' || value === null || left.has(name)) return value;
    if (isPayload(value)) return toJson(await codec.encode([fromJson(value)]));
    const marker = 'markerName' in value && value.markerName === 'core_local_activity';
    const entries = Object.entries(value).map(async ([inner, content]) => [
      inner,
      marker && inner === 'details' ? await withoutNotes(content, walk) : await walk(content, inner),
    ]);
    return Object.fromEntries(await Promise.all(entries)) as unknown;
  };
  return walk(history, '');
}

async function withoutNotes(details: unknown, walk: (value: unknown, name: string) => Promise<unknown>) {
  const entries = Object.entries(details as Record<string, unknown>);
  const walked = entries.map(async ([name, value]) => [name, name === 'data' ? value : await walk(value, name)]);
  return Object.fromEntries(await Promise.all(walked)) as unknown;
}

function isPayload(value: object): value is JsonPayload {
  return (
    'metadata' in value && typeof value.metadata === 'object' && value.metadata !== null && 'encoding' in value.metadata
  );
}

function fromJson({ metadata, data = '' }: JsonPayload): Payload {
  const entries = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')] as const);
  return { metadata: Object.fromEntries(entries), data: Buffer.from(data, 'base64') };
}

function toJson([payload]: Payload[]): JsonPayload {
  const base64 = (value: Uint8Array) => Buffer.from(value).toString('base64');
  const entries = Object.entries(payload?.metadata ?? {}).map(([name, value]) => [name, base64(value)] as const);
  return { metadata: Object.fromEntries(entries), data: base64(payload?.data ?? new Uint8Array()) };
}
