import { z } from '@hono/zod-openapi';

import { keySchema, parseRequest } from '../call/request';
import type { ApiContext } from './endpoint';

const keyHeader = 'Idempotency-Key';

export const idempotencyHeaders = z.object({ [keyHeader]: keySchema.optional() });

/** @throws CallError INVALID_REQUEST for one that is not a key */
export function idempotencyKeyOf(c: ApiContext): string | undefined {
  const given = c.req.header(keyHeader);
  return parseRequest(idempotencyHeaders, given === undefined ? {} : { [keyHeader]: given })[keyHeader];
}
