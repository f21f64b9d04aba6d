import { CallsApiError, CallsConnectionError, CallsTimeoutError } from '../client';
import { UsageError } from './exit-codes';
import { printable } from './printable';

/** What went wrong in words, and what to do about it, a line each. */
export function explainError(error: unknown): string[] {
  if (error instanceof CallsApiError) return explainAnswer(error);
  if (error instanceof CallsConnectionError) {
    return [error.message, 'Is the service running there? --url or CALLS_URL says where it is.', ...keyAdvice(error)];
  }
  return [error instanceof Error ? error.message : String(error)];
}

function explainAnswer(error: CallsApiError): string[] {
  const { code, problem, status, requestId } = error;
  const lines = [code === undefined ? error.message : `${error.message} (${code})`];
  for (const { path, message } of problem?.errors ?? []) lines.push(`  ${path || 'body'}: ${message}`);
  if (problem?.activeCallId !== undefined) lines.push(`The call that has the number: ${problem.activeCallId}`);
  if (status === 401) lines.push('CALLS_API_KEY, or CALLS_API_KEY_FILE, is the key to call the service with.');
  if (status === 429 && error.retryAfterSeconds !== undefined) lines.push(`Again in ${error.retryAfterSeconds} s.`);
  if (status >= 500) {
    if (requestId !== undefined) lines.push(`The service's log names the request ${requestId}.`);
    lines.push(...keyAdvice(error));
  }
  return lines.map(printable);
}

/** What was sent may have been done: only the same key makes it safe to send again. */
function keyAdvice({ idempotencyKey }: CallsApiError | CallsConnectionError): string[] {
  return idempotencyKey === undefined ? [] : [`To repeat it without making anything twice: --key ${idempotencyKey}`];
}

/** The same for programs: the service's own problem where there is one. */
export function errorForPrograms(error: unknown): object {
  if (error instanceof CallsApiError && error.problem) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof CallsTimeoutError) return { code: 'TIMED_OUT', detail, call: error.call };
  if (error instanceof CallsConnectionError) {
    return { code: 'NO_ANSWER', detail, idempotencyKey: error.idempotencyKey };
  }
  if (error instanceof CallsApiError) return { code: 'UNKNOWN_ANSWER', status: error.status, detail };
  return { code: error instanceof UsageError ? 'USAGE' : 'FAILED', detail };
}
