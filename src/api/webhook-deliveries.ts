import { z } from '@hono/zod-openapi';

import { CallError } from '../call/errors';
import { parseRequest } from '../call/request';
import { webhookDeliveryStates } from '../call/webhook';
import type { Database } from '../store/database';
import { findEndpoint } from '../store/webhook-endpoints';
import { deliverAnew, findDelivery, listDeliveries, listTries, type LoggedDelivery } from '../store/webhook-log';
import { queryOf } from './call-filter';
import { bodyProblems, idOf, jsonAnswer, jsonBody, problemAnswers, type ApiContext, type Endpoint } from './endpoint';
import { cursor, limit, writeCursor } from './paging';
import { readOptionalJson } from './read-body';
import { exampleDelivery, exampleDeliveryId, exampleDeliveryWithLog, exampleRedelivery } from './webhook-examples';
import { deliveryListSchema, deliveryOf, deliverySchema, deliveryWithLogSchema, tryOf } from './webhook-schemas';

export interface WebhookDeliveryDeps {
  db: Database;
}

const tags = ['Webhooks'];
const params = z.object({ id: z.uuid().openapi({ example: exampleDeliveryId }) });
const notFound = ['INVALID_ID', 'WEBHOOK_DELIVERY_NOT_FOUND'] as const;
const nothing = z.strictObject({});

const listQuery = z.strictObject({
  endpointId: z.uuid('must be a UUID').optional(),
  callId: z.uuid('must be a UUID').optional(),
  state: z.enum(webhookDeliveryStates, `must be among ${webhookDeliveryStates.join(', ')}`).optional(),
  limit,
  cursor: cursor('A `nextCursor`. It keeps the place, not the other parameters.'),
});

/** `GET /webhook-deliveries`, newest first. */
export function getDeliveries({ db }: WebhookDeliveryDeps): Endpoint {
  return {
    access: 'read',
    description: {
      operationId: 'listWebhookDeliveries',
      summary: 'Webhooks that were sent, or are to be, newest first',
      tags,
      request: { query: listQuery },
      responses: {
        200: jsonAnswer('One page', deliveryListSchema, { deliveries: [exampleDelivery], nextCursor: null }),
        ...problemAnswers('INVALID_REQUEST'),
      },
    },
    handle: async (c) => {
      const { limit: atMost, cursor: afterSeq, ...filter } = parseRequest(listQuery, queryOf(c));
      const { rows, nextSeq } = await listDeliveries(db, filter, { limit: atMost, afterSeq });
      const nextCursor = nextSeq === null ? null : writeCursor(nextSeq);
      return c.json({ deliveries: rows.map(deliveryOf), nextCursor }, 200);
    },
  };
}

/** `GET /webhook-deliveries/:id` */
export function getDelivery({ db }: WebhookDeliveryDeps): Endpoint {
  return {
    access: 'read',
    description: {
      operationId: 'getWebhookDelivery',
      summary: 'A webhook with the log of its tries',
      tags,
      request: { params },
      responses: {
        200: jsonAnswer('The delivery and its tries', deliveryWithLogSchema, exampleDeliveryWithLog),
        ...problemAnswers(...notFound),
      },
    },
    handle: async (c) => {
      const row = await knownDelivery(db, c);
      return c.json({ ...deliveryOf(row), log: (await listTries(db, row.id)).map(tryOf) }, 200);
    },
  };
}

/** `POST /webhook-deliveries/:id/redeliver` */
export function postRedeliver({ db }: WebhookDeliveryDeps): Endpoint {
  return {
    access: 'write',
    description: {
      operationId: 'redeliverWebhook',
      summary: 'Sends a webhook anew, at once and then by the schedule, whatever became of it; its `webhook-id` stays',
      tags,
      request: { params, body: jsonBody(nothing, {}, false) },
      responses: {
        200: jsonAnswer('The delivery, PENDING', deliverySchema, exampleRedelivery),
        ...problemAnswers(...notFound, ...bodyProblems, 'WEBHOOK_ENDPOINT_DISABLED'),
      },
    },
    handle: async (c) => {
      idOf(c);
      parseRequest(nothing, await readOptionalJson(c));
      const { id, endpoint_id: endpointId } = await knownDelivery(db, c);
      const endpoint = endpointId === null ? undefined : await findEndpoint(db, endpointId);
      if (endpointId !== null && endpoint?.disabled_at !== null) throw new CallError('WEBHOOK_ENDPOINT_DISABLED');
      await deliverAnew(db, id);
      return c.json(deliveryOf(await knownDelivery(db, c)), 200);
    },
  };
}

async function knownDelivery(db: Database, c: ApiContext): Promise<LoggedDelivery> {
  const id = idOf(c);
  const row = await findDelivery(db, id);
  if (!row) throw new CallError('WEBHOOK_DELIVERY_NOT_FOUND', `There is no webhook delivery ${id}.`);
  return row;
}
