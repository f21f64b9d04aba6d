import { createParser } from 'eventsource-parser';

import type { CallEventType, CallStatus } from './answers';
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
  /** Told when the connection is made, the first time and each time after it was lost. */
  onConnected?: (() => void) | undefined;
  /** Told when the connection is lost and when it cannot be made again yet: that is tried on and on, and nothing is missed. */
  onInterrupted?: ((error: CallsError) => void) | undefined;
}

/** All conditions must hold; a call is looked at as it was right after the event. */
export interface StreamRequest extends StreamOptions {
  types?: readonly CallEventType[] | undefined;
  /** Several: any of them. */
  status?: CallStatus | readonly CallStatus[] | undefined;
  /** E.164. */
  to?: string | undefined;
  scriptId?: string | undefined;
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
  { lastEventId, signal, onConnected, onInterrupted }: StreamOptions,
): AsyncGenerator<Streamed<Event>, void, undefined> {
  let cursor = lastEventId;
  let failures = 0;
  let askedSeconds = 0;
  for (let connected = false; ;) {
    try {
      const headers = { Accept: 'text/event-stream', ...(cursor !== undefined && { 'Last-Event-ID': cursor }) };
      const body = await transport.stream({ ...request, headers, signal });
      connected = true;
      onConnected?.();
      const onRetry = (milliseconds: number) => (askedSeconds = milliseconds / 1_000);
      for await (const { id, data } of blocksIn(body, onRetry, signal)) {
        failures = 0;
        cursor = id ?? cursor;
        if (data !== undefined) yield { cursor: cursor ?? '', event: JSON.parse(data) as Event };
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!connected || !isPassing(error)) throw error;
      onInterrupted?.(error);
    }
    failures++;
    await pause(Math.max(askedSeconds, pauseSeconds(failures)), signal);
  }
}

interface Block {
  id: string | undefined;
  data: string | undefined;
}

async function* blocksIn(
  body: ReadableStream<Uint8Array>,
  onRetry: (milliseconds: number) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<Block, void, undefined> {
  const read = blockReader(onRetry);
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await readWithin(longestSilenceSeconds, reader);
      if (done) return;
      yield* read(decoder.decode(value, { stream: true }));
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

/**
 * The parser keeps the id of a block without data to itself, and the service begins with one: without it a connection that
 * breaks before its first event would be made again from a later now. So it is fed line by line, and ids are read beside it.
 */
function blockReader(onRetry: (milliseconds: number) => void) {
  let block: Block = { id: undefined, data: undefined };
  let rest = '';
  const parser = createParser({ onEvent: (message) => void (block.data = message.data), onRetry });
  return function* read(text: string): Generator<Block, void, undefined> {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      parser.feed(`${line}\n`);
      block.id = /^id: ?(.+)$/.exec(line)?.[1] ?? block.id;
      if (line !== '') continue;
      yield block;
      block = { id: undefined, data: undefined };
    }
  };
}

async function readWithin(seconds: number, reader: ReadableStreamDefaultReader<Uint8Array>) {
  let timer: ReturnType<typeof setTimeout> | undefined;
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
