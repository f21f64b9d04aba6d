import type { z } from 'zod';

import type {
  deliverySchema,
  deliveryWithLogSchema,
  endpointSchema,
  endpointWithSecretSchema,
  webhookRequests,
} from '../api/webhook-schemas';
import type { RequestOptions } from './calls-client';
import { queryOf } from './query';
import type { Transport } from './transport';

type Requests = ReturnType<typeof webhookRequests>;

export type WebhookEndpoint = z.output<typeof endpointSchema>;
export type WebhookEndpointWithSecret = z.output<typeof endpointWithSecretSchema>;
export type WebhookEndpointRequest = z.input<Requests['endpoint']>;
export type WebhookEndpointChange = z.input<Requests['change']>;
export type WebhookDelivery = z.output<typeof deliverySchema>;
export type WebhookDeliveryWithLog = z.output<typeof deliveryWithLogSchema>;

export interface WebhookDeliveryFilter {
  endpointId?: string | undefined;
  callId?: string | undefined;
  state?: WebhookDelivery['state'] | undefined;
}

/** Where events of all calls are sent. Needs a key that may administer. */
export class WebhookEndpoints {
  constructor(private readonly transport: Transport) {}

  /**
   * Registers one. Its secret is in this answer and in no other; so it is not sent again where it may have been carried
   * out: look with `list`, and delete one whose secret nobody has.
   */
  async create(request: WebhookEndpointRequest, { signal }: RequestOptions = {}): Promise<WebhookEndpointWithSecret> {
    return this.transport.json({ method: 'POST', path: endpoints(), json: request, repeatable: false, signal });
  }

  async list({ signal }: RequestOptions = {}): Promise<WebhookEndpoint[]> {
    return (await this.transport.json<{ endpoints: WebhookEndpoint[] }>({ path: endpoints(), signal })).endpoints;
  }

  async get(id: string, { signal }: RequestOptions = {}): Promise<WebhookEndpoint> {
    return this.transport.json({ path: endpoints(id), signal });
  }

  /** A new URL holds from the next try on. */
  async update(id: string, change: WebhookEndpointChange, { signal }: RequestOptions = {}): Promise<WebhookEndpoint> {
    return this.transport.json({ method: 'PATCH', path: endpoints(id), json: change, signal });
  }

  /** What is on its way there has FAILED; the log of its deliveries stays. */
  async delete(id: string, { signal }: RequestOptions = {}): Promise<void> {
    await this.transport.json({ method: 'DELETE', path: endpoints(id), signal });
  }

  /** @returns the new secret, in this answer and no other; the old ones sign as well for `keepOldSeconds`, by itself a day */
  async rotateSecret(
    id: string,
    { keepOldSeconds, signal }: RequestOptions & { keepOldSeconds?: number | undefined } = {},
  ): Promise<WebhookEndpointWithSecret> {
    const json = keepOldSeconds === undefined ? {} : { keepOldSeconds };
    return this.transport.json({
      method: 'POST',
      path: endpoints(id, 'rotate-secret'),
      json,
      repeatable: false,
      signal,
    });
  }

  /** It gets events again, from now on, whatever disabled it. */
  async enable(id: string, { signal }: RequestOptions = {}): Promise<WebhookEndpoint> {
    return this.transport.json({ method: 'POST', path: endpoints(id, 'enable'), signal });
  }

  async disable(id: string, { signal }: RequestOptions = {}): Promise<WebhookEndpoint> {
    return this.transport.json({ method: 'POST', path: endpoints(id, 'disable'), signal });
  }
}

/** The log of what was sent, or is to be. */
export class WebhookDeliveries {
  constructor(private readonly transport: Transport) {}

  /** Every one that matches, newest first, page by page. */
  async *listAll(
    filter: WebhookDeliveryFilter = {},
    { signal }: RequestOptions = {},
  ): AsyncGenerator<WebhookDelivery, void, undefined> {
    let cursor: string | undefined;
    for (;;) {
      const query = queryOf({ ...filter, limit: 100, cursor });
      const page = await this.transport.json<{ deliveries: WebhookDelivery[]; nextCursor: string | null }>({
        path: deliveries(),
        query,
        signal,
      });
      yield* page.deliveries;
      if (page.nextCursor === null) return;
      cursor = page.nextCursor;
    }
  }

  /** With each try: what was answered, and how long it took. */
  async get(id: string, { signal }: RequestOptions = {}): Promise<WebhookDeliveryWithLog> {
    return this.transport.json({ path: deliveries(id), signal });
  }

  /** Sends it anew, whatever became of it; its `webhook-id` stays, by which the receiver knows it. */
  async redeliver(id: string, { signal }: RequestOptions = {}): Promise<WebhookDelivery> {
    return this.transport.json({ method: 'POST', path: deliveries(id, 'redeliver'), repeatable: false, signal });
  }
}

const endpoints = (...parts: string[]) => pathOf('webhook-endpoints', parts);
const deliveries = (...parts: string[]) => pathOf('webhook-deliveries', parts);

function pathOf(resource: string, parts: string[]): string {
  if (parts[0] === '') throw new TypeError('The id is empty');
  return ['', resource, ...parts.map(encodeURIComponent)].join('/');
}
