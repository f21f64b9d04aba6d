import { createHmac } from 'node:crypto';

import { createApp } from '../../src/api/app';
import { documentOf } from '../../src/api/document';
import { readConfig } from '../../src/config';
import { createLog } from '../../src/log';
import type { Description, MediaType, OperationDescription } from '../support/api-document';
import type { Answer, ApiUnderTest, RequestOptions } from './api-under-test';

/** An operation of /openapi.json, by its route: `POST /calls`. */
export interface Described {
  route: string;
  method: string;
  path: string;
  operation: OperationDescription;
}

/** /openapi.json, of an API that nobody could use. */
export const description = documentOf(
  createApp({
    db: undefined as never,
    config: readConfig({}),
    log: createLog('test', 'silent'),
    starter: { handOffSoon: () => undefined, startsWithinSeconds: 0 },
    stopping: new AbortController().signal,
    reports: { receive: () => Promise.resolve(undefined) },
    checks: {},
  }),
) as Description;

export const operations: Described[] = Object.entries(description.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([name, operation]) => {
    const method = name.toUpperCase();
    return { route: `${method} ${path}`, method, path, operation };
  }),
);

/** The examples of a media type by name; the only one is called `example`. */
export function examplesOf({ example, examples }: MediaType): Record<string, unknown> {
  const named = Object.entries(examples ?? {}).map(([name, { value }]) => [name, value] as const);
  return { ...(example !== undefined && { example }), ...Object.fromEntries(named) };
}

/** What differs from the request that the document shows. */
export interface Change extends RequestOptions {
  id?: string;
  query?: string;
}

/** Sends the request that the document shows, as it stands or changed. */
export async function sendExample(api: ApiUnderTest, described: Described, change: Change = {}): Promise<Answer> {
  const { method, operation } = described;
  const { id, query, json, raw, headers } = change;
  const body = Object.entries(operation.requestBody?.content ?? {})[0];
  const sent = raw ?? (json === undefined ? textOf(body) : JSON.stringify(json));
  const path = `${pathOf(described, id)}${query ?? queryOf(operation)}`;
  return api.request(method, path, {
    ...(sent !== undefined && { raw: sent }),
    headers: {
      ...(body && { 'Content-Type': body[0] }),
      ...(described.route === 'POST /callbacks/call-status' && signatureOf(api, sent ?? '')),
      ...headers,
    },
  });
}

function textOf(body: [string, MediaType] | undefined): string | undefined {
  if (!body) return undefined;
  const [type, content] = body;
  const [example] = Object.values(examplesOf(content));
  return type === 'application/json' ? JSON.stringify(example) : String(example);
}

function pathOf({ path, operation }: Described, id?: string): string {
  return path.replaceAll(/\{(.+?)\}/g, (_, name: string) => {
    const parameter = operation.parameters?.find((one) => one.in === 'path' && one.name === name);
    return id ?? String(parameter?.example ?? parameter?.schema.example ?? `no-example-of-${name}`);
  });
}

function queryOf({ parameters = [] }: OperationDescription): string {
  const needed = parameters.filter((parameter) => parameter.in === 'query' && parameter.required === true);
  if (needed.length === 0) return '';
  const query = new URLSearchParams();
  for (const { name, example, schema } of needed) query.append(name, String(example ?? schema.example));
  return `?${query.toString()}`;
}

/** Of the provider, whose headers cannot be examples: they are made of the secret and the time. */
function signatureOf({ config }: ApiUnderTest, raw: string | Uint8Array): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const hmac = createHmac('sha256', config.WEBHOOK_SECRET).update(`${timestamp}.`).update(raw).digest('hex');
  return { 'X-Webhook-Timestamp': timestamp, 'X-Webhook-Signature': `sha256=${hmac}` };
}
