import { z } from '@hono/zod-openapi';

import { reportStatuses } from '../call/call';
import { attemptParameter } from '../call/names';
import { parseRequest } from '../call/request';
import type { Config } from '../config';
import type { ReportsInHand } from '../intake/reports-in-hand';
import type { ProviderReport } from '../store/provider-reports';
import { isUuid, jsonAnswer, jsonBody, problemAnswers, type ApiContext, type Endpoint } from './endpoint';
import { exampleReport } from './examples';
import { parseJson, readBody } from './read-body';
import { verifySignature } from './signature';

const maxReasonCharacters = 1_000;

export interface CallbackDeps {
  config: Pick<Config, 'WEBHOOK_SECRET' | 'WEBHOOK_SIGNED_CONTENT'>;
  reports: Pick<ReportsInHand, 'receive'>;
}

/** Strict in what decides, lenient in the rest: a report that is refused is a call whose end is found out late. */
const reportSchema = z
  .object({
    callId: z
      .string()
      .min(1, 'must not be empty')
      .max(255, 'must have at most 255 characters')
      .refine((id) => id.isWellFormed() && !id.includes('\0'), 'holds a NUL or half a character'),
    status: z.enum(reportStatuses, `must be among ${reportStatuses.join(', ')}`),
    durationSec: z.number().min(0, 'must not be negative').max(2_147_483_647, 'is too long').nullish(),
    completedAt: z.iso.datetime({ offset: true, message: 'must be a time such as 2030-01-31T12:00:00Z' }),
    failureReason: z.string().nullish(),
  })
  .openapi('ProviderReport');

/** `POST /callbacks/call-status`: verified on its raw bytes, stored, answered; only then its workflow is told. */
export function receiveCallStatus(deps: CallbackDeps): Endpoint {
  return {
    access: 'open',
    description: {
      operationId: 'reportCallStatus',
      summary: "The provider's report of a call's end",
      tags: ['Provider'],
      request: {
        query: z.object({ [attemptParameter]: z.uuid().optional() }),
        headers: z.object({ 'X-Webhook-Signature': z.string(), 'X-Webhook-Timestamp': z.string().optional() }),
        body: jsonBody(reportSchema, exampleReport),
      },
      responses: {
        200: jsonAnswer('Stored, now or before', z.strictObject({ stored: z.literal(true) }), { stored: true }),
        202: jsonAnswer(
          'Stored; its call is not known yet',
          z.strictObject({ stored: z.literal(true), matched: z.literal(false) }),
          { stored: true, matched: false },
        ),
        ...problemAnswers('INVALID_REQUEST', 'INVALID_JSON', 'INVALID_SIGNATURE', 'PAYLOAD_TOO_LARGE'),
      },
    },
    handle: async (c) => {
      const rawBody = await readBody(c);
      const signature = c.req.header('X-Webhook-Signature');
      verifySignature({ rawBody, signature, timestamp: c.req.header('X-Webhook-Timestamp') }, deps.config);

      const attemptId = await deps.reports.receive(reportOf(rawBody), namedAttempt(c));
      if (attemptId === undefined) return c.json({ stored: true, matched: false }, 202);
      c.set('attempt', attemptId);
      return c.json({ stored: true }, 200);
    },
  };
}

function reportOf(rawBody: Buffer): ProviderReport {
  const { callId, status, durationSec, completedAt, failureReason } = parseRequest(reportSchema, parseJson(rawBody));
  return {
    externalCallId: callId,
    status,
    durationSec: durationSec == null ? null : Math.round(durationSec),
    // A reason that PostgreSQL could not store must not cost us the report.
    failureReason: failureReason?.replaceAll('\0', '').slice(0, maxReasonCharacters).toWellFormed() ?? null,
    completedAt: new Date(completedAt),
  };
}

function namedAttempt(c: ApiContext): string | null {
  const named = new URL(c.req.url).searchParams.get(attemptParameter);
  return named !== null && isUuid(named) ? named.toLowerCase() : null;
}
