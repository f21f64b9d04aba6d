import { CallError, type ErrorCode } from '../call/errors';
import { parseRequest, type RequestSchemas } from '../call/request';
import type { ReceivedMessage } from '../events/broker';
import type { IncomingCall } from './accept-call';

/** Of a dead letter that is sent again: `<topic>/<partition>/<offset>` of the message as it first came. */
export const originHeader = 'dlq.origin';

const maxValueBytes = 64 * 1024;

/** A message of which no call can be made, whoever tries. */
export interface RefusedMessage {
  message: ReceivedMessage;
  code: ErrorCode | 'UNDECODABLE';
  /** A sentence for people. */
  reason: string;
}

export interface RequestMessage {
  message: ReceivedMessage;
  requestId: string | null;
  incoming: IncomingCall & { source: string };
  /** Where it stands: `<topic>/<partition>/<offset>`. What is told of its rejection, it is told of this place. */
  place: string;
}

/**
 * Reads a message of `calls.requests`: strict UTF-8 JSON of at most 64 KB, the body of `POST /calls` with an optional
 * `requestId`.
 *
 * @param place where it stands: `<topic>/<partition>/<offset>`
 */
export function readRequestMessage(
  message: ReceivedMessage,
  place: string,
  schema: RequestSchemas['message'],
): RequestMessage | RefusedMessage {
  const { value, undecodable } = message;
  if (undecodable) {
    const { codec, messages, reason } = undecodable;
    return {
      message,
      code: 'UNDECODABLE',
      reason: `a batch of ${messages} messages compressed with ${codec} cannot be read: ${reason}`,
    };
  }
  if (value === null || value.length === 0) {
    return { message, code: 'INVALID_JSON', reason: 'the message has no value' };
  }
  if (value.length > maxValueBytes) {
    return { message, code: 'PAYLOAD_TOO_LARGE', reason: `${value.length} bytes are more than ${maxValueBytes}` };
  }
  try {
    const { requestId = null, ...request } = parseRequest(schema, parseJson(value));
    return {
      message,
      requestId,
      incoming: {
        request,
        requestKey: requestId === null ? null : `kafka:${requestId}`,
        source: sourceOf(message, place),
        traceparent: message.headers['traceparent']?.toString(),
      },
      place,
    };
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return { message, code: error.code, reason: error.message };
  }
}

/**
 * What a message is known by, so that it never makes two calls: its place, and where it is replayed the place at which it
 * first stood, however many letters it has left.
 */
export function sourceOf({ headers }: ReceivedMessage, place: string): string {
  const origin = headers[originHeader]?.toString() ?? '';
  return /^[\w.-]{1,249}\/\d{1,10}\/\d{1,20}$/.test(origin) ? origin : place;
}

function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value)) as unknown;
  } catch (error) {
    throw new CallError('INVALID_JSON', 'the value is not JSON in UTF-8', { cause: error });
  }
}
