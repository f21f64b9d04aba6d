import { z } from '@hono/zod-openapi';

import { CallError } from '../call/errors';
import { parseRequest, type RequestPolicy } from '../call/request';
import type { Database } from '../store/database';
import {
  changeSecrets,
  deleteEndpoint,
  disableEndpoint,
  enableEndpoint,
  findEndpoint,
  insertEndpoint,
  listEndpoints,
  updateEndpoint,
  type EndpointRow,
} from '../store/webhook-endpoints';
import { newSecret, rotated } from '../webhooks/secrets';
import { bodyProblems, idOf, jsonAnswer, jsonBody, problemAnswers, type ApiContext, type Endpoint } from './endpoint';
import { readJson, readOptionalJson } from './read-body';
import { endpointRequest, exampleEndpoint, exampleEndpointId, exampleSecret } from './webhook-examples';
import {
  endpointListSchema,
  endpointOf,
  endpointSchema,
  endpointWithSecretSchema,
  webhookRequests,
} from './webhook-schemas';

export interface WebhookEndpointDeps {
  db: Database;
  config: RequestPolicy;
}

const tags = ['Webhooks'];
const params = z.object({ id: z.uuid().openapi({ example: exampleEndpointId }) });
const withSecret = { ...exampleEndpoint, secret: exampleSecret };
const notFound = ['INVALID_ID', 'WEBHOOK_ENDPOINT_NOT_FOUND'] as const;

/** `POST /webhook-endpoints` */
export function postEndpoint({ db, config }: WebhookEndpointDeps): Endpoint {
  const { endpoint: schema } = webhookRequests(config);
  return {
    access: 'admin',
    description: {
      operationId: 'createWebhookEndpoint',
      summary: 'Registers where events of all calls are sent; shows its secret, this once',
      tags,
      request: { body: jsonBody(schema, endpointRequest) },
      responses: {
        201: jsonAnswer('The endpoint with its secret', endpointWithSecretSchema, withSecret),
        ...problemAnswers(...bodyProblems),
      },
    },
    handle: async (c) => {
      const secret = newSecret();
      const row = await insertEndpoint(db, parseRequest(schema, await readJson(c)), secret);
      c.header('Location', `/webhook-endpoints/${row.id}`);
      return c.json({ ...endpointOf(row), secret: secret.secret }, 201);
    },
  };
}

/** `GET /webhook-endpoints` */
export function getEndpoints({ db }: WebhookEndpointDeps): Endpoint {
  return {
    access: 'admin',
    description: {
      operationId: 'listWebhookEndpoints',
      summary: 'The endpoints, in the order in which they were registered',
      tags,
      responses: {
        200: jsonAnswer('All of them', endpointListSchema, { endpoints: [exampleEndpoint] }),
        ...problemAnswers(),
      },
    },
    handle: async (c) => c.json({ endpoints: (await listEndpoints(db)).map(endpointOf) }, 200),
  };
}

/** `GET /webhook-endpoints/:id` */
export function getEndpoint({ db }: WebhookEndpointDeps): Endpoint {
  return {
    access: 'admin',
    description: {
      operationId: 'getWebhookEndpoint',
      summary: 'An endpoint, without its secrets',
      tags,
      request: { params },
      responses: { 200: jsonAnswer('The endpoint', endpointSchema, exampleEndpoint), ...problemAnswers(...notFound) },
    },
    handle: (c) => answer(c, (id) => findEndpoint(db, id)),
  };
}

/** `PATCH /webhook-endpoints/:id` */
export function patchEndpoint({ db, config }: WebhookEndpointDeps): Endpoint {
  const { change: schema } = webhookRequests(config);
  const { url, ...rest } = endpointRequest;
  return {
    access: 'admin',
    description: {
      operationId: 'updateWebhookEndpoint',
      summary: 'Changes an endpoint; a new URL holds from the next try on',
      tags,
      request: { params, body: jsonBody(schema, { url }) },
      responses: {
        200: jsonAnswer('The endpoint as changed', endpointSchema, { ...exampleEndpoint, ...rest }),
        ...problemAnswers(...notFound, ...bodyProblems),
      },
    },
    handle: async (c) => {
      const id = idOf(c);
      const change = parseRequest(schema, await readJson(c));
      return answer(c, () => updateEndpoint(db, id, change));
    },
  };
}

/** `DELETE /webhook-endpoints/:id` */
export function removeEndpoint({ db }: WebhookEndpointDeps): Endpoint {
  return {
    access: 'admin',
    description: {
      operationId: 'deleteWebhookEndpoint',
      summary: 'Deletes an endpoint; what is on its way there has FAILED, and the log of its deliveries stays',
      tags,
      request: { params },
      responses: { 204: { description: 'Deleted' }, ...problemAnswers(...notFound) },
    },
    handle: async (c) => {
      if (!(await deleteEndpoint(db, idOf(c)))) throw notFoundIn(c);
      return c.body(null, 204);
    },
  };
}

/** `POST /webhook-endpoints/:id/rotate-secret` */
export function postRotateSecret({ db, config }: WebhookEndpointDeps): Endpoint {
  const { rotation: schema } = webhookRequests(config);
  return {
    access: 'admin',
    description: {
      operationId: 'rotateWebhookSecret',
      summary: 'Gives an endpoint a new secret and shows it, this once; for a day the old one signs as well',
      tags,
      request: { params, body: jsonBody(schema, { keepOldSeconds: 3_600 }, false) },
      responses: {
        200: jsonAnswer('The endpoint with its new secret', endpointWithSecretSchema, withSecret),
        ...problemAnswers(...notFound, ...bodyProblems),
      },
    },
    handle: async (c) => {
      const id = idOf(c);
      const { keepOldSeconds } = parseRequest(schema, await readOptionalJson(c));
      const row = await changeSecrets(db, id, (secrets) => rotated(secrets, keepOldSeconds));
      if (!row) throw notFoundIn(c);
      return c.json({ ...endpointOf(row), secret: row.secrets[0]?.secret }, 200);
    },
  };
}

/** `POST /webhook-endpoints/:id/enable` */
export function postEnable(deps: WebhookEndpointDeps): Endpoint {
  const summary = 'Has an endpoint get events again, from now on, whatever disabled it';
  return switchOf(deps, 'enableWebhookEndpoint', summary, exampleEndpoint, (id) => enableEndpoint(deps.db, id));
}

/** `POST /webhook-endpoints/:id/disable` */
export function postDisable(deps: WebhookEndpointDeps): Endpoint {
  const { db } = deps;
  const disabled = { disabledAt: '2026-11-25T12:00:00.000Z', disabledReason: 'by request' };
  const summary = 'Has nothing more sent to an endpoint; what is on its way there has FAILED';
  return switchOf(deps, 'disableWebhookEndpoint', summary, { ...exampleEndpoint, ...disabled }, async (id) => {
    await db.transaction().execute((trx) => disableEndpoint(trx, id, disabled.disabledReason));
    return findEndpoint(db, id);
  });
}

function switchOf(
  { config }: WebhookEndpointDeps,
  operationId: string,
  summary: string,
  example: z.input<typeof endpointSchema>,
  change: (id: string) => Promise<EndpointRow | undefined>,
): Endpoint {
  const { nothing } = webhookRequests(config);
  return {
    access: 'admin',
    description: {
      operationId,
      summary,
      tags,
      request: { params, body: jsonBody(nothing, {}, false) },
      responses: {
        200: jsonAnswer('The endpoint', endpointSchema, example),
        ...problemAnswers(...notFound, ...bodyProblems),
      },
    },
    handle: async (c) => {
      const id = idOf(c);
      parseRequest(nothing, await readOptionalJson(c));
      return answer(c, () => change(id));
    },
  };
}

async function answer(c: ApiContext, find: (id: string) => Promise<EndpointRow | undefined>): Promise<Response> {
  const row = await find(idOf(c));
  if (!row) throw notFoundIn(c);
  return c.json(endpointOf(row), 200);
}

function notFoundIn(c: ApiContext): CallError {
  return new CallError('WEBHOOK_ENDPOINT_NOT_FOUND', `There is no webhook endpoint ${idOf(c)}.`);
}
