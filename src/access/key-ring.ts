import { setTimeout as pause } from 'node:timers/promises';

import type { KeyAccess } from '../call/access';
import type { Config } from '../config';
import type { Logger } from '../log';
import { listLiveApiKeys, markApiKeyUsed } from '../store/api-keys';
import type { ApiKeyRow, Database } from '../store/database';
import { hashOf, makeKeyParts, matchesHash, readKeyText } from './key-text';

/** A key that is revoked is taken for so long after, at most. */
const keptSeconds = 5;
/** Between two looks for keys that are not known, whoever sends how many of those. */
const betweenLooksSeconds = 0.2;
const betweenUsesNotedSeconds = 60;

/** Whoever sent a key that is good. */
export interface KeyHolder {
  /** Of the key; `ADMIN_API_KEY` of that one. */
  keyId: string;
  access: KeyAccess;
  /** Requests; 0 is no limit. */
  rateLimitPerMinute: number;
}

export interface KeyRingDeps {
  db: Database;
  config: Pick<Config, 'ADMIN_API_KEY' | 'RATE_LIMIT_PER_MINUTE'>;
  log: Logger;
}

interface Look {
  keys: ReadonlyMap<string, ApiKeyRow>;
  beganAt: number;
}

/**
 * All live keys, as PostgreSQL had them within the last 5 s. They are few, and all of them are looked up at once: so a
 * request costs no query of its own, and those who send keys that do not exist cannot make more than five a second.
 */
export class KeyRing {
  /** Stands in for the hash of a key that does not exist: that it does not must not show in the time of the answer. */
  private readonly nobodysHash = hashOf(makeKeyParts().secret);
  private readonly adminHash: Buffer | undefined;
  private readonly usesNoted = new Map<string, number>();
  private latest: Look = { keys: new Map(), beganAt: -Infinity };
  private looking: Promise<Look> | undefined;

  constructor(private readonly deps: KeyRingDeps) {
    const { ADMIN_API_KEY } = deps.config;
    this.adminHash = ADMIN_API_KEY === undefined ? undefined : hashOf(ADMIN_API_KEY);
  }

  /**
   * @returns undefined for a text that is no live key
   * @throws the database's error where keys have to be looked up and it is away
   */
  async holderOf(text: string): Promise<KeyHolder | undefined> {
    const { RATE_LIMIT_PER_MINUTE } = this.deps.config;
    if (this.adminHash && matchesHash(text, this.adminHash)) {
      return { keyId: 'ADMIN_API_KEY', access: 'admin', rateLimitPerMinute: RATE_LIMIT_PER_MINUTE };
    }
    const parts = readKeyText(text);
    if (!parts) return undefined;
    const row = await this.find(parts.id);
    const matches = matchesHash(parts.secret, row?.secret_hash ?? this.nobodysHash);
    if (!row || !matches) return undefined;
    this.noteUse(row.id);
    return {
      keyId: row.id,
      access: row.access,
      rateLimitPerMinute: row.rate_limit_per_minute ?? RATE_LIMIT_PER_MINUTE,
    };
  }

  /** One that is not known may have been made a moment ago, so it is looked for again. */
  private async find(id: string): Promise<ApiKeyRow | undefined> {
    const now = performance.now();
    const { keys } = await this.keysAsOf(now - keptSeconds * 1_000);
    return keys.get(id) ?? (await this.keysAsOf(now)).keys.get(id);
  }

  private async keysAsOf(time: number): Promise<Look> {
    while (this.latest.beganAt < time) {
      this.looking ??= this.look().finally(() => {
        this.looking = undefined;
      });
      await this.looking;
    }
    return this.latest;
  }

  private async look(): Promise<Look> {
    const sooner = this.latest.beganAt + betweenLooksSeconds * 1_000 - performance.now();
    if (sooner > 0) await pause(sooner);
    const beganAt = performance.now();
    const rows = await listLiveApiKeys(this.deps.db);
    this.latest = { keys: new Map(rows.map((row) => [row.id, row])), beganAt };
    return this.latest;
  }

  /** Nobody waits for it, and nothing depends on it. */
  private noteUse(id: string): void {
    const now = performance.now();
    if (now - (this.usesNoted.get(id) ?? -Infinity) < betweenUsesNotedSeconds * 1_000) return;
    this.usesNoted.set(id, now);
    markApiKeyUsed(this.deps.db, id).catch((error: unknown) => {
      this.deps.log.debug({ err: error, keyId: id }, 'use of a key not noted');
    });
  }
}
