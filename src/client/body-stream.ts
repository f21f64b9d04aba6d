import { CallsConnectionError, CallsError } from './errors';
import { reasonOf } from './transport';

/**
 * The parts of a body as they come. One that breaks off ends in an error, never as if it were whole; the connection is
 * given up as soon as the iteration is left.
 *
 * @throws CallsConnectionError, or the signal's reason
 */
export async function* partsOf(
  body: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof CallsError) throw error;
    throw new CallsConnectionError(`The answer broke off: the service ${reasonOf(error)}`, true, { cause: error });
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** A JSON value of each line. */
export async function* jsonLinesOf<Value>(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Value, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const part of parts) {
    const lines = (rest + decoder.decode(part, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield JSON.parse(line) as Value;
  }
  if (rest !== '') yield JSON.parse(rest) as Value;
}
