import type { HttpBindings } from '@hono/node-server';
import { z, type RouteConfig } from '@hono/zod-openapi';
import type { Context } from 'hono';

import type { Access } from '../call/access';
import { CallError, errorCatalogue, type ErrorCode } from '../call/errors';
import { exampleCallId } from './examples';
import { problemSchema } from './schemas';

export interface ApiEnv {
  /** Node's request and response; absent where no server is between, in tests of the app alone. */
  Bindings: Partial<HttpBindings>;
  Variables: {
    requestId: string;
    /** The key that a request came with, for its log line. */
    keyId?: string;
    /** The call a request is about, for its log line. */
    callId?: string;
    /** The attempt a webhook is about, for its log line. */
    attempt?: string;
  };
}

export type ApiContext = Context<ApiEnv>;

/** One row of the route table: who may use it, what it answers, and how it is described in /openapi.json. */
export interface Endpoint {
  access: Access;
  description: Omit<RouteConfig, 'method' | 'path'>;
  /** @throws CallError for `renderError` to answer with */
  handle: (c: ApiContext) => Response | Promise<Response>;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const isUuid = (text: string): boolean => uuid.test(text);

/** The `{id}` of the path. @throws CallError INVALID_ID */
export function idOf(c: ApiContext): string {
  const id = c.req.param('id') ?? '';
  if (!isUuid(id)) throw new CallError('INVALID_ID');
  return id.toLowerCase();
}

/** The `{id}` of a call's path. @throws CallError INVALID_ID */
export function callIdOf(c: ApiContext): string {
  const id = idOf(c);
  c.set('callId', id);
  return id;
}

/** What a body may be refused for, before anything else is asked. */
export const bodyProblems = ['INVALID_REQUEST', 'INVALID_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const;

/** The path parameter of a call. */
export const callParams = z.object({ id: z.uuid().openapi({ example: exampleCallId }) });

/** Describes a JSON body. @param example is sent as it stands by `test/api/examples.test.ts` */
export function jsonBody<Schema extends z.ZodType>(schema: Schema, example: z.input<Schema>, required = true) {
  return { required, content: { 'application/json': { schema, example } } };
}

/** Describes a JSON answer. @param example what `test/api/examples.test.ts` gets for the example of a request */
export function jsonAnswer<Schema extends z.ZodType>(description: string, schema: Schema, example: z.input<Schema>) {
  return { description, content: { 'application/json': { schema, example } } };
}

const retryAfter = { description: 'Seconds to wait', schema: { type: 'integer' } } as const;

function headersOf(status: number, group: readonly ErrorCode[]) {
  if (status === 503) return { headers: { 'Retry-After': { ...retryAfter, required: true } } };
  return group.includes('IDEMPOTENCY_KEY_IN_FLIGHT') ? { headers: { 'Retry-After': retryAfter } } : {};
}

/** Describes the problems an endpoint answers with beside its success, by status. */
export function problemAnswers(...codes: ErrorCode[]) {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of [...codes, 'INTERNAL_ERROR', 'DEPENDENCY_UNAVAILABLE'] as const) {
    const { status } = errorCatalogue[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `${code}: ${errorCatalogue[code].title}`).join('; '),
        ...headersOf(status, group),
        content: {
          'application/problem+json': { schema: z.intersection(problemSchema, z.object({ code: z.enum(group) })) },
        },
      },
    ]),
  );
}
