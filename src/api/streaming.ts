import type { Logger } from '../log';
import type { ApiContext } from './endpoint';
import { loggable } from './render-error';

/** A client that takes nothing for so long is not coming back for the rest. */
const stalledSeconds = 120;

export interface StreamedAnswer {
  headers: Record<string, string>;
  log: Logger;
  /**
   * The answer part by part, none made before the client has taken the one before.
   *
   * @param gone aborted where nobody reads any more: whatever it waits for, it is to end then
   */
  parts: (gone: AbortSignal) => AsyncGenerator<string, void, undefined>;
  /** Called once, however it ends: also where no part was ever asked for. */
  done?: () => Promise<void>;
}

/**
 * An answer that is made while it is sent, with no more of it in memory than one part. Where the making fails, the
 * connection is cut: an answer that only ended would look whole.
 */
export function streamed(c: ApiContext, { headers, log, parts, done: close }: StreamedAnswer): Response {
  if (c.req.method === 'HEAD') return c.body(null, 200, headers);
  const gone = new AbortController();
  const made = parts(gone.signal);
  const encoder = new TextEncoder();
  const cut = () => c.env.outgoing?.destroy();
  let stalled: NodeJS.Timeout | undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        clearTimeout(stalled);
        try {
          const { done, value } = await made.next();
          if (done) {
            controller.close();
            await close?.();
            return;
          }
          controller.enqueue(encoder.encode(value));
          stalled = setTimeout(cut, stalledSeconds * 1_000);
          stalled.unref();
        } catch (error) {
          if (gone.signal.aborted) return;
          log.warn({ requestId: c.get('requestId'), err: loggable(error) }, 'an answer broke off');
          cut();
        }
      },
      cancel: async () => {
        clearTimeout(stalled);
        gone.abort();
        await made.return();
        await close?.();
      },
    },
    // Nothing is made ahead of what is read.
    { highWaterMark: 0 },
  );
  return c.body(body, 200, headers);
}
