/** The retry policy of a call, as Temporal takes it. Seconds. */
export interface RetrySettings {
  maxAttempts: number;
  initialSeconds: number;
  backoff: number;
}

/** Temporal waits no longer than so many times the initial interval, unless its retry policy names another maximum. */
const longestWait = 100;

/**
 * @returns seconds from the end of the `number`-th attempt (from 1) to the next: initial × backoff^(number − 1), at most
 *   100 × initial
 */
export function backoffSeconds(policy: Omit<RetrySettings, 'maxAttempts'>, number: number): number {
  return policy.initialSeconds * Math.min(policy.backoff ** (number - 1), longestWait);
}
