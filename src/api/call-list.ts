import { z } from '@hono/zod-openapi';

import { parseRequest, type RequestSchemas } from '../call/request';
import { listCalls, type MatchCounter } from '../store/call-list';
import type { Database } from '../store/database';
import { callOf } from '../store/rows';
import { filterParameters, queryOf } from './call-filter';
import { jsonAnswer, problemAnswers, type Endpoint } from './endpoint';
import { completedCall } from './examples';
import { callListSchema } from './schemas';

const maxLimit = 100;
const defaultLimit = 50;
const maxPage = 1_000_000;

export interface CallListDeps {
  db: Database;
  matches: MatchCounter;
  schemas: RequestSchemas;
}

const wholeNumber = (max: number, fallback: number) =>
  z
    .string()
    .refine((text) => /^[1-9]\d{0,9}$/.test(text) && Number(text) <= max, `must be a whole number from 1 to ${max}`)
    .transform(Number)
    .default(fallback)
    .openapi({ type: 'integer', minimum: 1, maximum: max, default: fallback });

const querySchema = (schemas: RequestSchemas) =>
  z.strictObject({
    ...filterParameters(schemas),
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
      .openapi({
        type: 'string',
        description: 'A `nextCursor`; `page` then counts for nothing. It keeps the place, not the other parameters.',
      }),
  });

/** `GET /calls`, newest first, by page or, steady while calls come in, by cursor. */
export function getCalls({ db, matches, schemas }: CallListDeps): Endpoint {
  const schema = querySchema(schemas);
  return {
    access: 'read',
    description: {
      operationId: 'listCalls',
      summary: 'Calls, newest first',
      tags: ['Calls'],
      request: { query: schema },
      responses: {
        200: jsonAnswer('One page', callListSchema, {
          calls: [completedCall],
          page: 1,
          limit: 50,
          total: 1,
          nextCursor: null,
        }),
        ...problemAnswers('INVALID_REQUEST'),
      },
    },
    handle: async (c) => {
      const { page, limit, cursor, ...filter } = parseRequest(schema, queryOf(c));
      const total = await matches.count(filter);
      const { rows, nextSeq } = await listCalls(db, filter, {
        limit,
        total,
        offset: (page - 1) * limit,
        afterSeq: cursor,
      });
      const nextCursor = nextSeq === null ? null : writeCursor(nextSeq);
      return c.json({ calls: rows.map(callOf), page, limit, total, nextCursor }, 200);
    },
  };
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
