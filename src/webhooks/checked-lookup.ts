import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';

import { mayReach, type AllowedNetworks } from '../call/webhook-url';

/** The host leads where webhooks may not go. It says no more: whoever reads it must not learn our network by names. */
export class ForbiddenTargetError extends Error {
  override name = 'ForbiddenTargetError';
  constructor() {
    super('the host has an address that webhooks may not go to (setting WEBHOOK_ALLOWED_NETWORKS)');
  }
}

export type Resolve = (
  hostname: string,
  options: { all: true; family?: number },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Resolves a name for a connection that is about to be made, and gives out what was checked and nothing else: a name that
 * leads elsewhere a moment later, or to two places at once, gets nobody past the check. Not called for a host that is an
 * address.
 */
export function checkedLookup(allowed: AllowedNetworks, resolve: Resolve = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    const family = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : (options.family ?? 0);
    resolve(hostname, { all: true, family }, (error, addresses) => {
      if (error) {
        callback(error, []);
        return;
      }
      const [first] = addresses;
      if (first === undefined || !addresses.every(({ address }) => mayReach(address, allowed))) {
        callback(new ForbiddenTargetError(), []);
      } else if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
