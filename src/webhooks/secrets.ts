import { randomBytes } from 'node:crypto';

import type { WebhookSecret } from '../store/database';

const secretBytes = 32;

export function newSecret(now = new Date()): WebhookSecret {
  const secret = `whsec_${randomBytes(secretBytes).toString('base64')}`;
  return { secret, createdAt: now.toISOString(), expiresAt: null };
}

/**
 * A new secret before those there were. They go on signing for a while, so that a receiver who knows one of them, the old
 * or the new, finds its signature all the time.
 */
export function rotated(secrets: readonly WebhookSecret[], keepOldSeconds: number, now = new Date()): WebhookSecret[] {
  const end = new Date(now.getTime() + keepOldSeconds * 1_000).toISOString();
  const old = secrets
    .filter((one) => isLive(one, now))
    .map((one) => ({ ...one, expiresAt: one.expiresAt !== null && one.expiresAt < end ? one.expiresAt : end }))
    .filter((one) => isLive(one, now));
  return [newSecret(now), ...old];
}

/** The secrets that sign now, the newest first. */
export function liveSecrets(secrets: readonly WebhookSecret[], now = new Date()): string[] {
  return secrets.filter((one) => isLive(one, now)).map(({ secret }) => secret);
}

function isLive({ expiresAt }: WebhookSecret, now: Date): boolean {
  return expiresAt === null || Date.parse(expiresAt) > now.getTime();
}
