import { isFinal } from '../call/transitions';
import type { Call } from './answers';
import type { CallsClient } from './calls-client';
import { CallsApiError, CallsTimeoutError } from './errors';
import { pause } from './pauses';

export interface WaitOptions {
  /** Without a limit by itself. */
  timeoutSeconds?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Between two looks where the call's event stream cannot be read. */
  pollSeconds?: number | undefined;
}

/** A stream that something in between holds back tells nothing and does not fail: looks that it costs little to make. */
const looksBesideStreamSeconds = 15;

/**
 * Follows a call to a final status: its event stream tells when to look, so that it is known at once, and where that
 * cannot be read it is looked at every `pollSeconds`. Once the call was found, outages are waited through.
 */
export async function waitUntilFinal(
  client: CallsClient,
  id: string,
  { timeoutSeconds, signal, pollSeconds = 2 }: WaitOptions,
): Promise<Call> {
  let call = await client.get(id, { signal });
  if (isFinal(call.status)) return call;
  const over = new AbortController();
  const timeout = timeoutSeconds === undefined ? undefined : AbortSignal.timeout(timeoutSeconds * 1_000);
  const ends = [over.signal, signal, timeout].filter((one) => one !== undefined);
  const end = AbortSignal.any(ends);
  const stream = followStream(client, id, end);
  try {
    while (!isFinal(call.status)) {
      await stream.waitForNews(stream.isAlive() ? looksBesideStreamSeconds : pollSeconds);
      call = await look(client, id, end, call);
    }
    return call;
  } catch (error) {
    signal?.throwIfAborted();
    if (timeout?.aborted !== true) throw error;
    throw new CallsTimeoutError(`Call ${id} is ${call.status}: it has not ended within ${timeoutSeconds} s`, call);
  } finally {
    over.abort();
  }
}

/** What passes leaves the call as it was last seen. */
async function look(client: CallsClient, id: string, signal: AbortSignal, before: Call): Promise<Call> {
  try {
    return await client.get(id, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CallsApiError && error.status < 500 && error.status !== 429) throw error;
    return before;
  }
}

/** @returns whether the stream tells, which begins with what has been, and a wait that news cuts short */
function followStream(client: CallsClient, id: string, signal: AbortSignal) {
  let alive = false;
  let hasNews = false;
  let wake: () => void = () => undefined;
  const tell = () => {
    hasNews = true;
    wake();
  };
  const follow = async () => {
    const stream = client.streamCall(id, { signal, onInterrupted: () => (alive = false) });
    while ((await stream.next()).done !== true) {
      alive = true;
      tell();
    }
  };
  void follow()
    .catch(() => undefined)
    .finally(() => {
      alive = false;
      tell();
    });
  return {
    isAlive: () => alive,
    waitForNews: async (seconds: number) => {
      const news = new AbortController();
      wake = () => news.abort();
      if (!hasNews) await pause(seconds, AbortSignal.any([signal, news.signal])).catch(() => undefined);
      signal.throwIfAborted();
      hasNews = false;
    },
  };
}
