import { createParser, type EventSourceMessage } from 'eventsource-parser';

import { CallsApiError, CallsConnectionError, CallsError } from './errors';
import { pause, pauseSeconds } from './pauses';
import { reasonOf, type ApiRequest, type Transport } from './transport';

/** One event of a stream. `cursor` resumes the stream right after it, by `lastEventId`. */
export interface Streamed<Event> {
  cursor: string;
  event: Event;
}

export interface StreamOptions {
  /** Continues after the event that had this cursor. */
  lastEventId?: string | undefined;
  /** Ends the stream, with the signal's reason as its error. */
  signal?: AbortSignal | undefined;
  /** Told when the connection is lost: it is made again by itself, and no event is missed. */
  onInterrupted?: ((error: CallsError) => void) | undefined;
}

/** The service sends a comment every 15 s where there is nothing to tell. */
const longestSilenceSeconds = 45;

/**
 * Server-Sent Events, for as long as anybody iterates. A connection that breaks, falls silent or is closed by a service
 * that stops is made again after the last event received; what keeps the very first from being made is thrown.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export async function* eventStream<Event>(
  transport: Transport,
  request: Pick<ApiRequest, 'path' | 'query'>,
  { lastEventId, signal, onInterrupted }: StreamOptions,
): AsyncGenerator<Streamed<Event>, void, undefined> {
  let cursor = lastEventId;
  let failures = 0;
  let askedSeconds = 0;
  for (let connected = false; ;) {
    try {
      const headers = { Accept: 'text/event-stream', ...(cursor !== undefined && { 'Last-Event-ID': cursor }) };
      const body = await transport.stream({ ...request, headers, signal });
      connected = true;
      const onRetry = (milliseconds: number) => (askedSeconds = milliseconds / 1_000);
      for await (const message of messagesIn(body, onRetry, signal)) {
        failures = 0;
        cursor = message.id ?? cursor;
        yield { cursor: cursor ?? '', event: JSON.parse(message.data) as Event };
      }
      throw new CallsConnectionError('the stream was closed by the service', true);
    } catch (error) {
      signal?.throwIfAborted();
      if (!connected || !isPassing(error)) throw error;
      onInterrupted?.(error);
      failures++;
      await pause(Math.max(askedSeconds, pauseSeconds(failures)), signal);
    }
  }
}

async function* messagesIn(
  body: ReadableStream<Uint8Array>,
  onRetry: (milliseconds: number) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<EventSourceMessage, void, undefined> {
  const waiting: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => void waiting.push(message), onRetry });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await readWithin(longestSilenceSeconds, reader);
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* waiting.splice(0);
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof CallsError) throw error;
    throw new CallsConnectionError(`the stream ${reasonOf(error)}`, true, { cause: error });
  } finally {
    // Also where the caller leaves its loop: else the connection would stay open for ever.
    await reader.cancel().catch(() => undefined);
  }
}

async function readWithin(seconds: number, reader: ReadableStreamDefaultReader<Uint8Array>) {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    const error = new CallsConnectionError(`the stream was silent for ${seconds} s`, true);
    timer = setTimeout(() => reject(error), seconds * 1_000);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a service that is starting again answers; anything else would be answered the same for ever. */
function isPassing(error: unknown): error is CallsError {
  if (error instanceof CallsConnectionError) return true;
  return error instanceof CallsApiError && (error.status === 408 || error.status === 429 || error.status >= 500);
}
