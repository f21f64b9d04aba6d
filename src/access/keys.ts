import type { KeyAccess } from '../call/access';
import { insertApiKey, listApiKeys, markApiKeyRevoked } from '../store/api-keys';
import type { ApiKeyRow, Database } from '../store/database';
import { hashOf, keyTextOf, makeKeyParts } from './key-text';

/** A key as it may be shown: everything but its secret, which nobody has but its holder. */
export interface ApiKey {
  id: string;
  name: string;
  access: KeyAccess;
  /** Null: as the setting RATE_LIMIT_PER_MINUTE has it. 0: no limit. */
  rateLimitPerMinute: number | null;
  createdAt: string;
  revokedAt: string | null;
  /** To within a minute. */
  lastUsedAt: string | null;
}

export interface KeyOrder {
  /** For people: 1 to 100 visible characters. */
  name: string;
  access: KeyAccess;
  /** A whole number from 0, without a limit, to 1,000,000; left out, the setting holds. */
  rateLimitPerMinute?: number | undefined;
}

/** What is wrong with the order of a key, in words for who gave it. */
export class KeyOrderError extends Error {
  override name = 'KeyOrderError';
}

/**
 * Makes a key. The APIs take it at once.
 *
 * @returns `text` is what its holder sends, and can be had only here: its hash alone is kept
 * @throws KeyOrderError
 */
export async function createKey(db: Database, order: KeyOrder): Promise<{ key: ApiKey; text: string }> {
  const name = order.name.trim();
  if (!/^[^\p{C}]{1,100}$/u.test(name)) throw new KeyOrderError('The name must have 1 to 100 visible characters.');
  const limit = order.rateLimitPerMinute;
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 0 && limit <= 1_000_000)) {
    throw new KeyOrderError('The rate limit must be a whole number from 0 to 1,000,000.');
  }
  const parts = makeKeyParts();
  const row = await insertApiKey(db, {
    id: parts.id,
    name,
    secret_hash: hashOf(parts.secret),
    access: order.access,
    rate_limit_per_minute: limit ?? null,
  });
  return { key: apiKeyOf(row), text: keyTextOf(parts) };
}

/** All keys that ever were, oldest first. */
export async function listKeys(db: Database): Promise<ApiKey[]> {
  return (await listApiKeys(db)).map(apiKeyOf);
}

/**
 * The APIs take it no more, within 5 s. Safe twice: the first time stands.
 *
 * @param id the second part of the key's text
 * @returns undefined where there is no such key
 */
export async function revokeKey(db: Database, id: string): Promise<ApiKey | undefined> {
  const row = await markApiKeyRevoked(db, id);
  return row && apiKeyOf(row);
}

function apiKeyOf(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    access: row.access,
    rateLimitPerMinute: row.rate_limit_per_minute,
    createdAt: row.created_at.toISOString(),
    revokedAt: row.revoked_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  };
}
