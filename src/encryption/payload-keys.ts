/** A key of the setting PAYLOAD_KEYS: 32 bytes, named in whatever it encrypts. */
export interface PayloadKey {
  id: string;
  key: Buffer;
}

const keyBytes = 32;

/**
 * Reads `<id>:<base64 of 32 bytes>`, several separated by commas: the first encrypts, all decrypt.
 *
 * @returns the keys, or in words what is wrong, which quotes no key
 */
export function readPayloadKeys(text: string): PayloadKey[] | string {
  const keys: PayloadKey[] = [];
  for (const [index, part] of text.split(',').entries()) {
    const [, id, base64 = ''] = /^([\w.-]{1,64}):([A-Za-z0-9+/]+=*)$/.exec(part.trim()) ?? [];
    const key = Buffer.from(base64, 'base64');
    if (id === undefined || key.length !== keyBytes || key.toString('base64') !== base64) {
      return `must be <id>:<base64 of ${keyBytes} bytes>, several separated by commas; number ${index + 1} is not`;
    }
    if (keys.some((known) => known.id === id)) return `names the key ${id} twice`;
    keys.push({ id, key });
  }
  return keys;
}
