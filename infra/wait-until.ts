import { setTimeout as delay } from 'node:timers/promises';
import { Interrupted } from './infra-error';

export interface WaitOptions {
  deadlineSeconds: number;
  pollMilliseconds?: number;
  signal?: AbortSignal;
}

/**
 * Asks `condition` until it holds.
 *
 * @returns false when the deadline passed first
 * @throws Interrupted when `signal` is aborted; whatever `condition` throws
 */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  { deadlineSeconds, pollMilliseconds = 100, signal }: WaitOptions,
): Promise<boolean> {
  const deadline = performance.now() + deadlineSeconds * 1000;
  for (;;) {
    if (signal?.aborted) throw new Interrupted();
    if (await condition()) return true;
    if (performance.now() > deadline) return false;
    await delay(pollMilliseconds, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}
