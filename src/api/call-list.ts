import { z } from '@hono/zod-openapi';

import { parseRequest, type RequestSchemas } from '../call/request';
import { listCalls, type MatchCounter } from '../store/call-list';
import type { Database } from '../store/database';
import { callOf } from '../store/rows';
import { filterParameters, queryOf } from './call-filter';
import { jsonAnswer, problemAnswers, type Endpoint } from './endpoint';
import { completedCall } from './examples';
import { cursor, limit, wholeNumber, writeCursor } from './paging';
import { callListSchema } from './schemas';

const maxPage = 1_000_000;

export interface CallListDeps {
  db: Database;
  matches: MatchCounter;
  schemas: RequestSchemas;
}

const querySchema = (schemas: RequestSchemas) =>
  z.strictObject({
    ...filterParameters(schemas),
    page: wholeNumber(maxPage, 1),
    limit,
    cursor: cursor('A `nextCursor`; `page` then counts for nothing. It keeps the place, not the other parameters.'),
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
      const { page, limit, cursor: afterSeq, ...filter } = parseRequest(schema, queryOf(c));
      const total = await matches.count(filter);
      const { rows, nextSeq } = await listCalls(db, filter, {
        limit,
        total,
        offset: (page - 1) * limit,
        afterSeq,
      });
      const nextCursor = nextSeq === null ? null : writeCursor(nextSeq);
      return c.json({ calls: rows.map(callOf), page, limit, total, nextCursor }, 200);
    },
  };
}
