import { z } from '@hono/zod-openapi';
import type { Payload } from '@temporalio/common';

import { parseRequest } from '../call/request';
import type { Config } from '../config';
import { EncryptionCodec } from '../encryption/payload-codec';
import { bodyProblems, jsonAnswer, jsonBody, problemAnswers, type ApiContext, type Endpoint } from './endpoint';
import { readJson } from './read-body';

/** As large as Temporal lets one exchange be. */
const maxBytes = 4 * 1024 * 1024;

export interface CodecDeps {
  config: Pick<Config, 'PAYLOAD_KEYS'>;
}

const bytes = z.base64('must be base64').openapi({ format: 'base64' });

/** A payload as Temporal's tools write it in JSON; what else they may put there is left out. */
const payloadsSchema = z
  .object({
    payloads: z.array(
      z.object({ metadata: z.record(z.string(), bytes).optional(), data: bytes.optional() }).openapi('Payload'),
    ),
  })
  .openapi('Payloads');

/** `"hello"`, which nobody has encrypted; without keys it stays so. */
const examplePayloads = { payloads: [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'ImhlbGxvIg==' }] };

type JsonPayload = z.output<typeof payloadsSchema>['payloads'][number];

/**
 * `POST /codec/decode`: makes payloads readable for the Web UI and the command line of Temporal, for those allowed. One
 * that cannot be read here stays as it is.
 *
 * @see https://docs.temporal.io/codec-server the protocol
 */
export function postDecode({ config }: CodecDeps): Endpoint {
  const codec = new EncryptionCodec(config.PAYLOAD_KEYS ?? []);
  return codecEndpoint('decodePayloads', 'Decrypts payloads of Temporal', (payloads) =>
    Promise.resolve(codec.decodeReadable(payloads)),
  );
}

/** `POST /codec/encode`: encrypts what a person sends to a workflow by Temporal's own tools. */
export function postEncode({ config }: CodecDeps): Endpoint {
  const codec = new EncryptionCodec(config.PAYLOAD_KEYS ?? []);
  return codecEndpoint('encodePayloads', 'Encrypts payloads for Temporal', (payloads) => codec.encode(payloads));
}

function codecEndpoint(
  operationId: string,
  summary: string,
  transform: (payloads: Payload[]) => Promise<Payload[]>,
): Endpoint {
  return {
    access: 'admin',
    description: {
      operationId,
      summary,
      description: "Temporal's remote codec protocol, for its Web UI and its command line.",
      tags: ['Operation'],
      request: { body: jsonBody(payloadsSchema, examplePayloads) },
      responses: {
        200: jsonAnswer('The payloads, in their order', payloadsSchema, examplePayloads),
        ...problemAnswers(...bodyProblems),
      },
    },
    handle: async (c: ApiContext) => {
      const { payloads } = parseRequest(payloadsSchema, await readJson(c, maxBytes));
      return c.json({ payloads: (await transform(payloads.map(fromJson))).map(toJson) }, 200);
    },
  };
}

function fromJson({ metadata, data }: JsonPayload): Payload {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value, 'base64')] as const);
  return { metadata: Object.fromEntries(entries), data: Buffer.from(data ?? '', 'base64') };
}

function toJson({ metadata, data }: Payload): JsonPayload {
  const base64 = (value: Uint8Array) => Buffer.from(value).toString('base64');
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)] as const);
  return { metadata: Object.fromEntries(entries), data: base64(data ?? new Uint8Array()) };
}
