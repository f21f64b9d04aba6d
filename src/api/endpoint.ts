import type { HttpBindings } from '@hono/node-server';
import { z, type RouteConfig } from '@hono/zod-openapi';
import type { Context } from 'hono';

import type { Access } from '../call/access';
import { CallError, errorCatalogue, type ErrorCode } from '../call/errors';
import { problemSchema } from './schemas';

export interface ApiEnv {
  /** Node's request and response; absent where no server is between, in tests of the app alone. */
  Bindings: Partial<HttpBindings>;
  Variables: {
    requestId: string;
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
export function callIdOf(c: ApiContext): string {
  const id = c.req.param('id') ?? '';
  if (!isUuid(id)) throw new CallError('INVALID_ID');
  c.set('callId', id.toLowerCase());
  return id.toLowerCase();
}

/** What a body may be refused for, before anything else is asked. */
export const bodyProblems = ['INVALID_REQUEST', 'INVALID_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const;

/** Describes a JSON answer. */
export function jsonAnswer(description: string, schema: z.ZodType) {
  return { description, content: { 'application/json': { schema } } };
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
        content: {
          'application/problem+json': { schema: z.intersection(problemSchema, z.object({ code: z.enum(group) })) },
        },
      },
    ]),
  );
}
