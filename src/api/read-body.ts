import { CallError } from '../call/errors';
import type { ApiContext } from './endpoint';

const maxBodyBytes = 64 * 1024;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The raw bytes of a request's body.
 *
 * @throws CallError PAYLOAD_TOO_LARGE as soon as that is known: by Content-Length before anything is read, else when the
 *   bytes read pass the limit; INVALID_REQUEST where the client broke off
 */
export async function readBody(c: ApiContext, maxBytes = maxBodyBytes): Promise<Buffer> {
  const declared = c.req.header('Content-Length');
  if (declared !== undefined && Number(declared) > maxBytes) throw tooLarge(maxBytes);
  try {
    // A declared length is the most that Node's parser lets through.
    if (declared !== undefined) return Buffer.from(await c.req.arrayBuffer());
    return await readCounting(c.req.raw.body, maxBytes);
  } catch (error) {
    if (error instanceof CallError) throw error;
    throw new CallError('INVALID_REQUEST', 'The body broke off before its end.', { cause: error });
  }
}

/**
 * A body that must be JSON.
 *
 * @throws CallError UNSUPPORTED_MEDIA_TYPE, INVALID_JSON, and what `readBody` throws
 */
export async function readJson(c: ApiContext, maxBytes?: number): Promise<unknown> {
  const body = await readBody(c, maxBytes);
  if (body.length === 0) throw new CallError('INVALID_JSON', 'The body is empty; it must be a JSON object.');
  requireType(c, 'application/json');
  return parseJson(body);
}

/** A body that may be left out, whatever its type then: `{}` where it was. @throws as `readJson` */
export async function readOptionalJson(c: ApiContext): Promise<unknown> {
  const body = await readBody(c);
  if (body.length === 0) return {};
  requireType(c, 'application/json');
  return parseJson(body);
}

/** @throws CallError INVALID_JSON for what is not UTF-8 or not JSON */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch (error) {
    // The parser's own message quotes the body; a client's number must not end up in a log through it.
    const reason = error instanceof SyntaxError ? 'is not valid JSON' : 'is not valid UTF-8';
    throw new CallError('INVALID_JSON', `The body ${reason}.`);
  }
}

/** @throws CallError UNSUPPORTED_MEDIA_TYPE */
export function requireType(c: ApiContext, required: string): void {
  const [type] = (c.req.header('Content-Type') ?? '').split(';');
  if (type?.trim().toLowerCase() !== required) {
    throw new CallError('UNSUPPORTED_MEDIA_TYPE', `The body must be ${required}.`);
  }
}

async function readCounting(stream: AsyncIterable<Uint8Array> | null, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function tooLarge(maxBytes: number): CallError {
  return new CallError('PAYLOAD_TOO_LARGE', `The body is larger than ${maxBytes} bytes.`);
}
