import { BlockList, isIP } from 'node:net';

import { ConfigError, knownSigningSecret, knownWebhookSecret, type Config } from '../config';
import type { Logger } from '../log';
import { listLiveApiKeys } from '../store/api-keys';
import type { Database } from '../store/database';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** @param host an address, without the brackets that a URL has around one of IPv6, or a name */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/** @throws ConfigError where the API would listen to others while it asks nobody for a key */
export function requireKeysBeyondLoopback({ HOST, API_KEYS }: Pick<Config, 'HOST' | 'API_KEYS'>): void {
  if (API_KEYS === 'required' || isLoopback(HOST)) return;
  throw new ConfigError(
    `HOST=${HOST} lets others reach the API, which asks for no key: set API_KEYS=required, or HOST=127.0.0.1.`,
  );
}

/** @throws ConfigError where the API would listen to others of whom none could have a key */
export async function requireUsableKey(
  db: Database,
  { HOST, API_KEYS, ADMIN_API_KEY }: Pick<Config, 'HOST' | 'API_KEYS' | 'ADMIN_API_KEY'>,
): Promise<void> {
  if (API_KEYS === 'off' || ADMIN_API_KEY !== undefined || isLoopback(HOST)) return;
  if ((await listLiveApiKeys(db)).length > 0) return;
  throw new ConfigError(
    'API_KEYS=required, and there is no key yet: make one with `calls keys create`, or set ADMIN_API_KEY.',
  );
}

/** No reason not to start: who forges a provider's webhook can end calls, who forges ours can mislead its receiver. */
export function warnOfKnownSecrets(
  {
    HOST,
    WEBHOOK_SECRET,
    WEBHOOK_SIGNING_SECRETS,
  }: Pick<Config, 'HOST' | 'WEBHOOK_SECRET' | 'WEBHOOK_SIGNING_SECRETS'>,
  log: Logger,
): void {
  if (isLoopback(HOST)) return;
  const known = [
    ...(WEBHOOK_SECRET === knownWebhookSecret ? ['WEBHOOK_SECRET'] : []),
    ...(WEBHOOK_SIGNING_SECRETS.includes(knownSigningSecret) ? ['WEBHOOK_SIGNING_SECRETS'] : []),
  ];
  for (const name of known) {
    log.warn(`${name} is the default, which anybody may know, and others reach the API: set one of your own`);
  }
}
