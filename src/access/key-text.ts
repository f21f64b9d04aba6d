import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * A key as its holder sends it: `aco_<id>_<secret>`. The prefix lets scanners of code and logs find one that leaked, the
 * id finds its row without the secret, and the secret is 32 random bytes in base64url: too many to guess, so that a plain
 * SHA-256 keeps it.
 */
const keyText = /^aco_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;

export interface KeyParts {
  id: string;
  secret: string;
}

export function makeKeyParts(): KeyParts {
  return { id: randomBytes(6).toString('hex'), secret: randomBytes(32).toString('base64url') };
}

export const keyTextOf = ({ id, secret }: KeyParts): string => `aco_${id}_${secret}`;

/** @returns undefined for what cannot be one of our keys */
export function readKeyText(text: string): KeyParts | undefined {
  const [, id, secret] = keyText.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

export function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** In a time that does not depend on where they differ; hashes, since a comparison of the texts would show their length. */
export function matchesHash(secret: string, hash: Buffer): boolean {
  return timingSafeEqual(hashOf(secret), hash);
}
