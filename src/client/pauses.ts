const shortestSeconds = 0.5;
const longestSeconds = 8;

/** Longer than this nobody is left waiting: the error says when to try again. */
export const longestRetryAfterSeconds = 60;

/**
 * How long to wait before try number `tries` + 1: twice as long each time, less up to half of it by chance, so that
 * clients which failed together do not come back together.
 *
 * @param tries made so far, 1 after the first
 */
export function pauseSeconds(tries: number): number {
  const seconds = Math.min(longestSeconds, shortestSeconds * 2 ** (tries - 1));
  return seconds * (0.5 + Math.random() / 2);
}

/** @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after seconds, or a date */
export function retryAfterSeconds(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header)) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - now) / 1_000);
}

/** @throws the signal's reason as soon as it is aborted */
export function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, seconds * 1_000);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
