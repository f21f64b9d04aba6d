import { z } from '@hono/zod-openapi';

import { callStatuses } from '../call/call';
import { CallError } from '../call/errors';
import { parseRequest, type RequestSchemas } from '../call/request';
import { listCalls } from '../store/calls';
import type { Database } from '../store/database';
import { callOf } from '../store/rows';
import { jsonAnswer, problemAnswers, type ApiContext, type Endpoint } from './endpoint';
import { callListSchema } from './schemas';

const maxLimit = 100;
const defaultLimit = 50;
const maxPage = 1_000_000;

export interface CallListDeps {
  db: Database;
  schemas: RequestSchemas;
}

const wholeNumber = (max: number, fallback: number) =>
  z
    .string()
    .refine((text) => /^[1-9]\d{0,9}$/.test(text) && Number(text) <= max, `must be a whole number from 1 to ${max}`)
    .transform(Number)
    .default(fallback)
    .openapi({ type: 'integer', minimum: 1, maximum: max, default: fallback });

const querySchema = ({ call }: RequestSchemas) =>
  z.strictObject({
    status: z.enum(callStatuses, `must be among ${callStatuses.join(', ')}`).optional(),
    to: z
      .string()
      // An unencoded plus arrives as a space.
      .transform((text) => text.replace(/^ /, '+'))
      .pipe(z.string().regex(/^\+[1-9]\d{6,14}$/, 'must be a phone number in E.164 form, such as +966501234567'))
      .optional()
      .openapi({ type: 'string', example: '+966501234567' }),
    scriptId: call.shape.scriptId.optional(),
    page: wholeNumber(maxPage, 1),
    limit: wholeNumber(maxLimit, defaultLimit),
    cursor: z
      .string()
      .transform((text, context) => {
        const seq = readCursor(text);
        if (seq === undefined) context.addIssue({ code: 'custom', message: 'is not a cursor of this list' });
        return seq;
      })
      .optional()
      .openapi({ type: 'string', description: 'A `nextCursor`; `page` then counts for nothing.' }),
  });

/** `GET /calls`, newest first, by page or, steady while calls come in, by cursor. */
export function getCalls({ db, schemas }: CallListDeps): Endpoint {
  const schema = querySchema(schemas);
  return {
    access: 'read',
    description: {
      summary: 'Calls, newest first',
      tags: ['Calls'],
      request: { query: schema },
      responses: { 200: jsonAnswer('One page', callListSchema), ...problemAnswers('INVALID_REQUEST') },
    },
    handle: async (c) => {
      const { page, limit, cursor, ...filter } = parseRequest(schema, queryOf(c));
      const { rows, total, nextSeq } = await listCalls(db, filter, {
        limit,
        offset: (page - 1) * limit,
        afterSeq: cursor,
      });
      const nextCursor = nextSeq === null ? null : writeCursor(nextSeq);
      return c.json({ calls: rows.map(callOf), page, limit, total, nextCursor }, 200);
    },
  };
}

/** @throws CallError INVALID_REQUEST for a parameter given twice: which of the two was meant is anybody's guess */
function queryOf(c: ApiContext): Record<string, string> {
  const given = [...new URL(c.req.url).searchParams];
  const names = given.map(([name]) => name);
  const twice = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
  if (twice.length > 0) {
    const errors = twice.map((path) => ({ path, message: 'is given more than once' }));
    throw new CallError('INVALID_REQUEST', errors.map(({ path, message }) => `${path} ${message}`).join('; '), {
      errors,
    });
  }
  return Object.fromEntries(given);
}

/** Opaque to clients. The version lets a later order of the list refuse what this one gave out. */
function writeCursor(seq: number): string {
  return Buffer.from(`1:${seq}`).toString('base64url');
}

function readCursor(cursor: string): number | undefined {
  const seq = /^1:([1-9]\d{0,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))?.[1];
  if (seq === undefined || !Number.isSafeInteger(Number(seq))) return undefined;
  // Buffer skips what is not base64url; only what we would write ourselves is a cursor.
  return writeCursor(Number(seq)) === cursor ? Number(seq) : undefined;
}
