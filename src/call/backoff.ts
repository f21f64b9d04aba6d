/** The retry policy of a call, as Temporal takes it. Seconds. */
export interface RetrySettings {
  maxAttempts: number;
  initialSeconds: number;
  backoff: number;
}

/** @returns seconds from the end of the `number`-th attempt (from 1) to the next: initial × backoff^(number − 1) */
export function backoffSeconds(policy: Omit<RetrySettings, 'maxAttempts'>, number: number): number {
  return policy.initialSeconds * policy.backoff ** (number - 1);
}
