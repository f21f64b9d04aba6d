import { z } from 'zod';

import { priorities, type Json, type Metadata } from './call';
import { CallError, type FieldError } from './errors';
import { e164, numberProblem, type CallableNumbers } from './phone-number';
import { webhookUrlProblem, type AllowedNetworks } from './webhook-url';

const maxMetadataBytes = 8 * 1024;
const maxMetadataDepth = 8;
const maxExpiryDays = 366;

/** PostgreSQL stores neither NUL nor half of a surrogate pair. */
const storable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/** Every string and key, and the depth, of a JSON value: a reason why it cannot be kept, or undefined. */
function jsonProblem(value: unknown, depth = 1): string | undefined {
  if (typeof value === 'string') return storable(value) ? undefined : 'holds a NUL or half a character';
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'holds a number that is not finite';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > maxMetadataDepth) return `is nested deeper than ${maxMetadataDepth}`;
  for (const [key, inner] of Object.entries(value)) {
    if (!storable(key) || key === '__proto__') return 'has a name that cannot be kept';
    const problem = jsonProblem(inner, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const metadata = z
  .custom<Metadata>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be an object',
  )
  .superRefine((value, context) => {
    const problem = jsonProblem(value);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    else if (Buffer.byteLength(JSON.stringify(value)) > maxMetadataBytes) {
      context.addIssue({ code: 'custom', message: `is larger than ${maxMetadataBytes} bytes` });
    }
  })
  .meta({
    type: 'object',
    description: 'Yours: handed to the provider as it is. At most 8 KB of JSON, 8 levels deep.',
  });

export const storableText = z.string().refine(storable, 'holds a NUL or half a character');

const scriptId = storableText
  .min(1, 'must not be empty')
  .max(128, 'must have at most 128 characters')
  .meta({ pattern: '^[^\\u0000]*$', example: 'testScript', description: 'The script the provider speaks.' });

const expiresAt = z.iso
  .datetime({ offset: true, message: 'must be a time such as 2030-01-31T12:00:00Z', abort: true })
  .superRefine((value, context) => {
    const milliseconds = Date.parse(value) - Date.now();
    if (Number.isNaN(milliseconds)) context.addIssue({ code: 'custom', message: 'is not a time that exists' });
    else if (milliseconds <= 0) context.addIssue({ code: 'custom', message: 'is in the past' });
    else if (milliseconds > maxExpiryDays * 86_400_000) {
      context.addIssue({ code: 'custom', message: `is more than ${maxExpiryDays} days away` });
    }
  })
  .meta({ description: 'A call that has not ended well by then is EXPIRED.' });

const priorityProblem = `must be a whole number from ${priorities.soonest} to ${priorities.latest}`;
const priority = z
  .int({ error: priorityProblem, abort: true })
  .min(priorities.soonest, priorityProblem)
  .max(priorities.latest, priorityProblem)
  .meta({
    default: priorities.usual,
    description: 'The lower, the sooner the call is served; those of one priority are served in order of acceptance.',
  });

const to = (callable: CallableNumbers) =>
  z
    .string()
    .superRefine((value, context) => {
      const problem = numberProblem(value, callable);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    })
    .meta({
      format: 'e164',
      pattern: e164.source,
      example: '+966501234567',
      description: 'Whom to call, E.164: a number that exists and may be called.',
    });

/** Where webhooks are to be sent, of a call or of an endpoint. */
export const webhookUrl = (allowed: AllowedNetworks) =>
  z
    .string()
    .superRefine((value, context) => {
      const problem = webhookUrlProblem(value, allowed);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    })
    .meta({ format: 'uri', maxLength: 2_048, example: 'https://example.org/webhooks' });

/** The settings that decide what is accepted. */
export interface RequestPolicy extends CallableNumbers {
  readonly WEBHOOK_ALLOWED_NETWORKS: AllowedNetworks;
}

/** The schemas of what clients send, one for both doors. Unknown fields are refused by name. */
export function requestSchemas(policy: RequestPolicy) {
  const fields = {
    to: to(policy),
    scriptId,
    metadata: metadata.optional(),
    expiresAt: expiresAt.optional(),
  };
  const url = webhookUrl(policy.WEBHOOK_ALLOWED_NETWORKS).meta({
    description: "Gets the call's events, as docs/webhooks.md tells.",
  });
  const call = { ...fields, priority: priority.optional(), webhookUrl: url.optional() };
  return {
    /** `POST /calls`, and the value of a Kafka message but for its `requestId`. */
    call: z.strictObject(call),
    /** The value of a message on `calls.requests`. */
    message: z.strictObject({ ...call, requestId: keySchema.optional() }),
    /** `PATCH /calls/:id`: at least one field. The priority is fixed: it is in the place that the call's attempts queue under. */
    change: z
      .strictObject(
        { ...fields, to: fields.to.optional(), scriptId: scriptId.optional(), webhookUrl: url.nullable().optional() },
        // Some fields it refuses are known very well.
        { error: ({ code }) => (code === 'unrecognized_keys' ? 'is not a field that can be changed' : undefined) },
      )
      .refine((value) => Object.keys(value).length > 0, {
        message: 'must name at least one field',
        // One that names only unknown fields is told of those.
        when: ({ issues }) => issues.length === 0,
      })
      .meta({ minProperties: 1 }),
  };
}

/** An Idempotency-Key or a `requestId`: 1 to 255 visible characters. */
export const keySchema = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'must have 1 to 255 visible ASCII characters');

export type RequestSchemas = ReturnType<typeof requestSchemas>;
export type CallRequest = z.output<RequestSchemas['call']>;
export type CallChange = z.output<RequestSchemas['change']>;

/** @returns each problem with the path of its field; an unknown field is named by its own path */
export function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, key].join('.'), message: issue.message }));
    }
    return [{ path: path.join('.'), message: issue.message }];
  });
}

/** Parses what a client sent. @throws CallError INVALID_REQUEST listing every bad field */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value, { error: plainWords });
  if (parsed.success) return parsed.data;
  const errors = fieldErrors(parsed.error);
  throw new CallError('INVALID_REQUEST', errors.map((error) => `${error.path || 'body'} ${error.message}`).join('; '), {
    errors,
  });
}

/** For clients, who know JSON's types and not zod's phrases. */
function plainWords(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'unrecognized_keys') return 'is not a known field';
  if (issue.code !== 'invalid_type') return undefined;
  return issue.input === undefined ? 'is missing' : `must be of type ${issue.expected}`;
}

/** The same JSON whatever the order of names: what two requests with one key are compared by. */
export function canonicalJson(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${pairs.map(([name, inner]) => `${JSON.stringify(name)}:${canonicalJson(inner)}`).join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}
