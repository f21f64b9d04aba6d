import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import type { Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';

import type { PayloadKey } from './payload-keys';

const PayloadMessage = temporal.api.common.v1.Payload;

const cipherName = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/** As Temporal's own samples name them, so that their tools know such a payload as encrypted. */
const encrypted = Buffer.from('binary/encrypted');
const cipherLabel = Buffer.from('AES-256-GCM');

/** A payload is encrypted and cannot be read here: its key is none of ours, or it is not what we wrote. */
export class UnreadablePayloadError extends Error {
  override name = 'UnreadablePayloadError';
}

/**
 * Encrypts everything that goes to Temporal (inputs, results, signals, memos, summaries, details of failures) and decrypts
 * what comes back: the whole payload, serialized, by AES-256-GCM under a nonce of its own. The first key encrypts; the
 * others read what was written before it took their place. A payload that is not encrypted is passed on as it is: what an
 * operator sends by hand, and what was written before there were keys.
 *
 * Laid out as by Temporal's samples: nonce, ciphertext, tag.
 *
 * @see https://docs.temporal.io/payload-codec
 */
export class EncryptionCodec implements PayloadCodec {
  private readonly keys: ReadonlyMap<string, Buffer>;
  private readonly first: PayloadKey | undefined;

  constructor(keys: readonly PayloadKey[]) {
    this.keys = new Map(keys.map(({ id, key }) => [id, key]));
    this.first = keys[0];
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    const { first } = this;
    return Promise.resolve(first === undefined ? payloads : payloads.map((payload) => encrypt(payload, first)));
  }

  /** @throws UnreadablePayloadError */
  decode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.resolve().then(() => payloads.map((payload) => this.decodeOne(payload)));
  }

  /** For people who look at a history: what cannot be read stays as it is, and keeps nothing else from being read. */
  decodeReadable(payloads: readonly Payload[]): Payload[] {
    return payloads.map((payload) => {
      try {
        return this.decodeOne(payload);
      } catch (error) {
        if (error instanceof UnreadablePayloadError) return payload;
        throw error;
      }
    });
  }

  private decodeOne(payload: Payload): Payload {
    const { encoding, 'encryption-key-id': keyId } = payload.metadata ?? {};
    if (encoding == null || !encrypted.equals(encoding)) return payload;
    const id = Buffer.from(keyId ?? []).toString();
    const key = this.keys.get(id);
    if (key === undefined) {
      throw new UnreadablePayloadError(`a payload is encrypted with key ${JSON.stringify(id)}, not in PAYLOAD_KEYS`);
    }
    return decrypt(Buffer.from(payload.data ?? []), key, id);
  }
}

function encrypt(payload: Payload, { id, key }: PayloadKey): Payload {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(cipherName, key, nonce, { authTagLength: tagBytes });
  const ciphertext = [cipher.update(PayloadMessage.encode(payload).finish()), cipher.final()];
  return {
    metadata: { encoding: encrypted, 'encryption-cipher': cipherLabel, 'encryption-key-id': Buffer.from(id) },
    data: Buffer.concat([nonce, ...ciphertext, cipher.getAuthTag()]),
  };
}

function decrypt(data: Buffer, key: Buffer, id: string): Payload {
  try {
    const decipher = createDecipheriv(cipherName, key, data.subarray(0, nonceBytes), { authTagLength: tagBytes });
    decipher.setAuthTag(data.subarray(-tagBytes));
    const serialized = [decipher.update(data.subarray(nonceBytes, -tagBytes)), decipher.final()];
    const { metadata, data: content } = PayloadMessage.decode(Buffer.concat(serialized));
    return { metadata, data: content };
  } catch (error) {
    throw new UnreadablePayloadError(
      `a payload encrypted with key ${JSON.stringify(id)} was altered, or is another's`,
      {
        cause: error,
      },
    );
  }
}
