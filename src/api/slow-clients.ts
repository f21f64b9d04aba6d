import type { IncomingMessage, Server } from 'node:http';

import { CallError } from '../call/errors';
import type { ApiContext } from './endpoint';

/** Requests whose bodies may come for as long as they keep coming. */
const unhurried = new WeakSet<IncomingMessage>();

/**
 * Cuts off who sends a body so slowly that it is not there in time, rather than keep a connection for it. Node's own
 * `requestTimeout` knows one time for all, and a large file may rightly take longer than a small body may.
 */
export function cutSlowBodies(server: Server, withinSeconds: number): void {
  server.on('request', (request, response) => {
    const timer = setTimeout(() => {
      if (request.complete || unhurried.has(request)) return;
      if (!response.headersSent) request.socket.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n');
      request.socket.destroySoon();
    }, withinSeconds * 1_000);
    timer.unref();
    for (const event of ['end', 'close']) request.once(event, () => clearTimeout(timer));
  });
}

/** The slowest that a large file may come. Only the time spent on waiting for its sender counts. */
const slowest = { bytes: 32 * 1024, withinSeconds: 30 };

/**
 * The chunks of a body that may take its time, as long as it makes progress.
 *
 * @throws CallError REQUEST_TIMEOUT where it does not; INVALID_REQUEST where the client broke off
 */
export async function* chunksInProgress(c: ApiContext, pace = slowest): AsyncGenerator<Uint8Array, void, undefined> {
  if (c.env.incoming) unhurried.add(c.env.incoming);
  const body: ReadableStream<Uint8Array> | null = c.req.raw.body;
  const reader = body?.getReader();
  if (!reader) return;
  let [waitedMilliseconds, bytes] = [0, 0];
  for (;;) {
    const askedAt = performance.now();
    const chunk = await within(pace.withinSeconds * 1_000 - waitedMilliseconds, reader.read());
    if (chunk.done) return;
    yield chunk.value;
    waitedMilliseconds += performance.now() - askedAt;
    bytes += chunk.value.byteLength;
    if (bytes >= pace.bytes) [waitedMilliseconds, bytes] = [0, 0];
  }
}

async function within<T>(milliseconds: number, read: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CallError('REQUEST_TIMEOUT')), Math.max(0, milliseconds));
  });
  try {
    return await Promise.race([
      read.catch((error: unknown) => {
        throw new CallError('INVALID_REQUEST', 'The body broke off before its end.', { cause: error });
      }),
      late,
    ]);
  } finally {
    clearTimeout(timer);
  }
}
