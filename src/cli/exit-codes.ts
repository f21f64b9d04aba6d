import { CallsApiError, CallsConnectionError, CallsTimeoutError } from '../client';

/** What a script can tell of how it went; docs/command-line.md lists them. */
export const exitCodes = {
  ok: 0,
  /** The service refused, or the call that was waited for did not end well. */
  refused: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  serviceAway: 5,
  timedOut: 6,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The command was called in a way that cannot be meant. Its message is for the person who did. */
export class UsageError extends Error {
  override name = 'UsageError';
}

export class NotFoundError extends Error {
  override name = 'NotFoundError';
}

/** What a command works with beside the service's API, such as the database. */
export class ServiceAwayError extends Error {
  override name = 'ServiceAwayError';
}

/** @returns undefined for what is a mistake of ours */
export function exitCodeOf(error: unknown): ExitCode | undefined {
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof NotFoundError) return exitCodes.notFound;
  if (error instanceof ServiceAwayError) return exitCodes.serviceAway;
  if (error instanceof CallsTimeoutError) return exitCodes.timedOut;
  if (error instanceof CallsConnectionError) return exitCodes.serviceAway;
  if (!(error instanceof CallsApiError)) return undefined;
  const { status } = error;
  if (status === 401 || status === 403) return exitCodes.notAllowed;
  if (status === 404) return exitCodes.notFound;
  return status >= 500 || status === 408 || status === 429 ? exitCodes.serviceAway : exitCodes.refused;
}
