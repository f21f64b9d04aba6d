import { RequestError } from '@hono/node-server';

import { CallError, errorCatalogue, type CallErrorOptions, type ErrorCode } from '../call/errors';
import type { Logger } from '../log';
import { isDatabaseAway } from '../store/database-errors';
import type { ApiContext } from './endpoint';
import { securityHeaders } from './security-headers';

/** Seconds a client may wait before it tries again what a dependency's absence refused. */
const retryAfterSeconds = 2;

const contentType = 'application/problem+json';

/**
 * An error as clients see it.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */
export function problemOf(error: CallError, instance: string) {
  const { status, title } = errorCatalogue[error.code];
  return {
    type: `urn:call-orchestrator:problem:${error.code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    detail: error.message,
    instance,
    code: error.code,
    error: error.message,
    ...(error.errors && { errors: error.errors }),
    ...(error.activeCallId !== undefined && { activeCallId: error.activeCallId }),
  };
}

/** The one place that turns an error into an answer. What is not a client's doing is logged, and not told to it. */
export function renderError(c: ApiContext, error: unknown, log: Logger): Response {
  const known = asCallError(error);
  const { status } = errorCatalogue[known.code];
  const line = { requestId: c.get('requestId'), callId: c.get('callId'), err: loggable(error) };
  if (known.code === 'INTERNAL_ERROR') log.error(line, 'unforeseen error');
  if (known.code === 'DEPENDENCY_UNAVAILABLE') {
    log.warn(line, 'answered 503: a dependency is away');
    c.header('Retry-After', String(retryAfterSeconds));
  }
  if (known.code === 'IDEMPOTENCY_KEY_IN_FLIGHT') c.header('Retry-After', '1');
  return c.body(JSON.stringify(problemOf(known, c.req.path)), status, { 'Content-Type': contentType });
}

/**
 * Answers for what no route could: a request too malformed to reach one, such as one with a broken Host header, or a
 * failure past `renderError`'s reach.
 */
export function renderUnrouted(error: unknown, log: Logger): Response {
  const malformed = error instanceof RequestError;
  if (!malformed) log.error({ err: loggable(error) }, 'unforeseen error');
  const problem = problemOf(
    malformed
      ? new CallError('INVALID_REQUEST', 'The request line or the Host header is malformed.')
      : new CallError('INTERNAL_ERROR'),
    '/',
  );
  const headers = { ...securityHeaders, 'Content-Type': contentType };
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

/** An error as one of the catalogue. */
export function asCallError(error: unknown): CallError {
  if (error instanceof CallError) return error;
  const [code, detail]: [ErrorCode, string] = isDatabaseAway(error)
    ? [
        'DEPENDENCY_UNAVAILABLE',
        'The database is away: try again. A POST repeated with its Idempotency-Key makes no second call.',
      ]
    : ['INTERNAL_ERROR', 'The request failed on our side; the log names the cause under this X-Request-Id.'];
  const options: CallErrorOptions = { cause: error };
  return new CallError(code, detail, options);
}

/** An error without the driver's fields that quote values of a row, which may be phone numbers. */
export function loggable(error: unknown) {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = 'code' in error ? String(error.code) : undefined;
  return { name: error.name, message: error.message, code, stack: error.stack };
}
