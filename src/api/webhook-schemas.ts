import { z } from '@hono/zod-openapi';

import { callEventTypes, type CallEventType } from '../call/event';
import { storableText, webhookUrl } from '../call/request';
import { webhookDeliveryStates, webhookId } from '../call/webhook';
import type { AllowedNetworks } from '../call/webhook-url';
import type { EndpointRow } from '../store/webhook-endpoints';
import type { LoggedDelivery, TryRow } from '../store/webhook-log';

/** What is asked and answered about webhooks to clients. */

const time = z.iso.datetime();
const maxDescriptionCharacters = 500;
const maxKeepOldSeconds = 7 * 86_400;
const usualKeepOldSeconds = 86_400;

const eventTypes = z
  .array(z.enum(callEventTypes, `must be among ${callEventTypes.join(', ')}`))
  .min(1, 'must name at least one type')
  .refine((types) => new Set(types).size === types.length, 'must name each type once')
  .nullable()
  .openapi({ uniqueItems: true, description: 'The types it gets; null for all.' });

/** The schemas of requests. */
export function webhookRequests({ WEBHOOK_ALLOWED_NETWORKS }: { WEBHOOK_ALLOWED_NETWORKS: AllowedNetworks }) {
  const url = webhookUrl(WEBHOOK_ALLOWED_NETWORKS);
  const description = storableText.max(
    maxDescriptionCharacters,
    `must have at most ${maxDescriptionCharacters} characters`,
  );
  return {
    endpoint: z.strictObject({ url, description: description.default(''), eventTypes: eventTypes.default(null) }),
    change: z
      .strictObject({ url: url.optional(), description: description.optional(), eventTypes: eventTypes.optional() })
      .refine((value) => Object.keys(value).length > 0, {
        message: 'must name at least one field',
        when: ({ issues }) => issues.length === 0,
      })
      .openapi({ minProperties: 1 }),
    rotation: z.strictObject({
      keepOldSeconds: z
        .int({ error: 'must be a whole number of seconds', abort: true })
        .min(0, 'must not be negative')
        .max(maxKeepOldSeconds, `must be at most ${maxKeepOldSeconds}`)
        .default(usualKeepOldSeconds)
        .openapi({ description: 'For so long the secrets there were sign as well.' }),
    }),
    nothing: z.strictObject({}),
  };
}

const endpointFields = {
  id: z.uuid(),
  url: z.string(),
  description: z.string(),
  eventTypes: z.array(z.enum(callEventTypes)).nullable().openapi({ description: 'Null for all.' }),
  disabledAt: time.nullable(),
  disabledReason: z.string().nullable(),
  failingSince: time
    .nullable()
    .openapi({ description: 'Since when every try has failed; null where the last one did not.' }),
  createdAt: time,
  updatedAt: time,
};

export const endpointSchema = z.strictObject(endpointFields).openapi('WebhookEndpoint');
export const endpointListSchema = z.strictObject({ endpoints: z.array(endpointSchema) });
export const endpointWithSecretSchema = z
  .strictObject({ ...endpointFields, secret: z.string().openapi({ description: 'Shown this once.' }) })
  .openapi('WebhookEndpointWithSecret');

const deliveryFields = {
  id: z.uuid(),
  endpointId: z.uuid().nullable().openapi({ description: "Null where it goes to the call's own `webhookUrl`." }),
  eventId: z.uuid(),
  webhookId: z.string().openapi({ description: 'The header `webhook-id` that it is sent with.' }),
  eventType: z.enum(callEventTypes),
  callId: z.uuid().nullable().openapi({ description: 'Null for `call.rejected`.' }),
  url: z.string(),
  state: z.enum(webhookDeliveryStates),
  tries: z.int().openapi({ description: 'Tries begun, those before a redelivery counted in.' }),
  lastStatus: z.int().nullable(),
  lastError: z.string().nullable(),
  nextTryAt: time.nullable(),
  createdAt: time,
  endedAt: time.nullable(),
};

const trySchema = z
  .strictObject({
    number: z.int(),
    at: time,
    url: z.string(),
    status: z.int().nullable().openapi({ description: 'What the receiver answered; null where no answer came.' }),
    durationMs: z.int().nullable(),
    error: z.string().nullable().openapi({ description: 'Null where it was well, or is under way.' }),
    response: z.string().nullable().openapi({ description: 'How the answer began, numbers masked.' }),
  })
  .openapi('WebhookTry');

export const deliverySchema = z.strictObject(deliveryFields).openapi('WebhookDelivery');
export const deliveryListSchema = z.strictObject({
  deliveries: z.array(deliverySchema),
  nextCursor: z.string().nullable().openapi({ description: 'Continues the list; null on the last page.' }),
});
export const deliveryWithLogSchema = z
  .strictObject({
    ...deliveryFields,
    log: z.array(trySchema).openapi({ description: 'Every try, the first one first.' }),
  })
  .openapi('WebhookDeliveryWithLog');

export function endpointOf(row: EndpointRow): z.output<typeof endpointSchema> {
  return {
    id: row.id,
    url: row.url,
    description: row.description,
    eventTypes: row.event_types,
    disabledAt: iso(row.disabled_at),
    disabledReason: row.disabled_reason,
    failingSince: iso(row.failing_since),
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

export function deliveryOf(row: LoggedDelivery): z.output<typeof deliverySchema> {
  return {
    id: row.id,
    endpointId: row.endpoint_id,
    eventId: row.eventId,
    webhookId: webhookId(row.eventId),
    // Written by ourselves.
    eventType: row.eventType as CallEventType,
    callId: row.call_id,
    url: row.url,
    state: row.state,
    tries: row.tries,
    lastStatus: row.last_status,
    lastError: row.last_error,
    nextTryAt: iso(row.next_try_at),
    createdAt: row.created_at.toISOString(),
    endedAt: iso(row.ended_at),
  };
}

export function tryOf(row: TryRow): z.output<typeof trySchema> {
  return {
    number: row.number,
    at: row.at.toISOString(),
    url: row.url,
    status: row.status,
    durationMs: row.duration_ms,
    error: row.error,
    response: row.response,
  };
}

function iso(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}
