import { z } from '@hono/zod-openapi';

import { CallError } from '../call/errors';
import { keySchema, parseRequest } from '../call/request';
import type { ApiContext } from './endpoint';

const keyHeader = 'Idempotency-Key';

export const idempotencyHeaders = z.object({ [keyHeader]: keySchema.optional() });

/** @throws CallError INVALID_REQUEST for one that is not a key */
export function idempotencyKeyOf(c: ApiContext): string | undefined {
  const given = c.req.header(keyHeader);
  return parseRequest(idempotencyHeaders, given === undefined ? {} : { [keyHeader]: given })[keyHeader];
}

/**
 * The keys whose requests this process is about to answer. Whoever repeats one too soon is told so, in place of waiting
 * behind it; a repeat that another process gets waits in PostgreSQL for the first. Neither makes a second call.
 */
export class KeysInFlight {
  private readonly keys = new Set<string>();

  /**
   * @returns what gives the key back
   * @throws CallError IDEMPOTENCY_KEY_IN_FLIGHT
   */
  claim(key: string | undefined): () => void {
    if (key === undefined) return () => undefined;
    if (this.keys.has(key)) throw new CallError('IDEMPOTENCY_KEY_IN_FLIGHT');
    this.keys.add(key);
    return () => void this.keys.delete(key);
  }
}
