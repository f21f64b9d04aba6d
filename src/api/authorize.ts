import { KeyRing, type KeyHolder, type KeyRingDeps } from '../access/key-ring';
import { RateLimits } from '../access/rate-limits';
import { isLoopback } from '../access/way-in';
import { includesAccess, type KeyAccess } from '../call/access';
import { CallError } from '../call/errors';
import type { Config } from '../config';
import type { ApiContext } from './endpoint';

export interface AuthorizeDeps extends KeyRingDeps {
  config: KeyRingDeps['config'] & Pick<Config, 'API_KEYS' | 'CORS_ORIGINS' | 'PUBLIC_BASE_URL'>;
}

/** Lets a request pass to an endpoint that asks for so much, or throws the CallError that says why not. */
export type Authorize = (c: ApiContext, wanted: KeyAccess) => Promise<void>;

export function authorization(deps: AuthorizeDeps): Authorize {
  if (deps.config.API_KEYS === 'off') return onlyFromHere(deps.config);
  const keys = new KeyRing(deps);
  const limits = new RateLimits();
  return async (c, wanted) => {
    const holder = await holderOf(c, keys);
    c.set('keyId', holder.keyId);
    await withinLimit(c, holder, limits);
    if (includesAccess(holder.access, wanted)) return;
    c.header('WWW-Authenticate', `Bearer error="insufficient_scope", scope="${wanted}"`);
    throw new CallError('FORBIDDEN', `This asks for a key that may ${wanted}; yours may ${holder.access}.`);
  };
}

/** @see https://www.rfc-editor.org/rfc/rfc6750 */
async function holderOf(c: ApiContext, keys: KeyRing): Promise<KeyHolder> {
  const text = /^Bearer +(\S+)$/i.exec(c.req.header('Authorization') ?? '')?.[1];
  if (text === undefined) {
    c.header('WWW-Authenticate', 'Bearer');
    throw new CallError('UNAUTHENTICATED', 'An API key is needed: send the header `Authorization: Bearer <key>`.');
  }
  const holder = await keys.holderOf(text);
  if (!holder) {
    c.header('WWW-Authenticate', 'Bearer error="invalid_token"');
    throw new CallError('UNAUTHENTICATED', 'This API key is not known, or was revoked.');
  }
  return holder;
}

/** @see https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06 */
async function withinLimit(c: ApiContext, holder: KeyHolder, limits: RateLimits): Promise<void> {
  const allowance = await limits.count(holder);
  if (!allowance) return;
  c.header('RateLimit-Limit', String(allowance.limit));
  c.header('RateLimit-Remaining', String(allowance.remaining));
  c.header('RateLimit-Reset', String(allowance.resetSeconds));
  if (!allowance.exceeded) return;
  c.header('Retry-After', String(allowance.resetSeconds));
  throw new CallError('RATE_LIMITED', `This key may send ${allowance.limit} requests a minute.`);
}

/**
 * Without keys whoever reaches the port may do everything, and a page of any site in a browser on this machine reaches it:
 * by a request across sites, which the browser says by `Origin`, or by a name of its own that it has made to point here,
 * which shows in `Host`.
 */
function onlyFromHere({ CORS_ORIGINS = [], PUBLIC_BASE_URL }: AuthorizeDeps['config']): Authorize {
  const publicHost = new URL(PUBLIC_BASE_URL).hostname;
  return (c) => {
    const { host, hostname } = new URL(c.req.url);
    if (hostname !== publicHost && !isLoopback(hostname.replace(/^\[|\]$/g, ''))) {
      const remedy = 'set API_KEYS=required, or PUBLIC_BASE_URL';
      throw new CallError('FORBIDDEN', `Without API keys this answers under its own address alone: ${remedy}.`);
    }
    const origin = c.req.header('Origin');
    if (origin !== undefined && hostOf(origin) !== host && !CORS_ORIGINS.includes(origin)) {
      throw new CallError('FORBIDDEN', 'This answers to pages of its own alone: set CORS_ORIGINS to allow others.');
    }
    return Promise.resolve();
  };
}

const hostOf = (origin: string): string | undefined => (URL.canParse(origin) ? new URL(origin).host : undefined);
