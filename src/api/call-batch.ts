import { z } from '@hono/zod-openapi';

import { parseRequest, type RequestSchemas } from '../call/request';
import { acceptRows, readRow, type AcceptRowsDeps } from '../intake/accept-rows';
import { bodyProblems, jsonAnswer, jsonBody, problemAnswers, type Endpoint } from './endpoint';
import { exampleBatch, exampleBatchAnswer } from './examples';
import { idempotencyHeaders, idempotencyKeyOf, KeysInFlight } from './idempotency-key';
import { readJson } from './read-body';
import { problemOf } from './render-error';
import { batchSchema } from './schemas';

const maxRows = 1_000;
const maxBytes = 10 * 1024 * 1024;

export interface CallBatchDeps extends AcceptRowsDeps {
  schemas: RequestSchemas;
}

const howMany = `must be 1 to ${maxRows} calls`;
const listOf = (row: z.ZodType) => z.strictObject({ calls: z.array(row).min(1, howMany).max(maxRows, howMany) });

/** `POST /calls/batch`: many calls at once, each accepted or refused by itself. */
export function postBatch({ db, config, starter, schemas }: CallBatchDeps): Endpoint {
  // Any row is answered for; one that is no request for a call is told so in its place.
  const described = listOf(z.union([schemas.message, z.unknown()]));
  const inFlight = new KeysInFlight();
  return {
    access: 'write',
    description: {
      operationId: 'createCalls',
      summary: `Accepts up to ${maxRows} calls, with an answer for each`,
      description:
        'Each row is a body of POST /calls, with an optional `requestId`, which is to it what an Idempotency-Key is to ' +
        'POST /calls. With an Idempotency-Key for the whole, a row without one has a key of its own from that and its ' +
        'place: a batch that is repeated makes no second call of any row.',
      tags: ['Calls'],
      request: {
        headers: idempotencyHeaders,
        body: jsonBody(described, exampleBatch),
      },
      responses: {
        200: jsonAnswer('What became of each row, in their order', batchSchema, exampleBatchAnswer),
        ...problemAnswers(...bodyProblems, 'IDEMPOTENCY_KEY_IN_FLIGHT'),
      },
    },
    handle: async (c) => {
      const key = idempotencyKeyOf(c);
      const { calls } = parseRequest(listOf(z.unknown()), await readJson(c, maxBytes));
      const traceparent = c.req.header('traceparent');
      const rows = calls.map((row, index) =>
        readRow(schemas, row, { key: key === undefined ? null : `batch:${key}/${index}`, traceparent }),
      );
      const answered = inFlight.claim(key);
      const outcomes = await acceptRows({ db, config, starter }, rows).finally(answered);
      const count = (status: string) => outcomes.filter((outcome) => outcome.status === status).length;
      const results = outcomes.map((outcome, index) =>
        outcome.status === 'REFUSED'
          ? { index, status: outcome.status, problem: problemOf(outcome.error, `${c.req.path}#/calls/${index}`) }
          : { index, status: outcome.status, call: outcome.call },
      );
      return c.json(
        { accepted: count('ACCEPTED'), replayed: count('REPLAYED'), refused: count('REFUSED'), results },
        200,
      );
    },
  };
}
