import type { z } from '@hono/zod-openapi';

import { exampleCallId, exampleEvents } from './examples';
import type { deliverySchema, deliveryWithLogSchema, endpointSchema } from './webhook-schemas';

export const exampleEndpointId = 'c1f6c1a4-52f4-4a4e-8d0b-2f1e0a9d7b55';
export const exampleDeliveryId = '9a1d2c3b-4e5f-4a6b-8c7d-0e1f2a3b4c5d';

export const endpointRequest = {
  url: 'https://example.org/webhooks',
  description: 'Our CRM',
  eventTypes: ['call.completed' as const, 'call.failed' as const],
};

export const exampleEndpoint: z.output<typeof endpointSchema> = {
  id: exampleEndpointId,
  ...endpointRequest,
  disabledAt: null,
  disabledReason: null,
  failingSince: null,
  createdAt: '2026-11-20T08:00:00.000Z',
  updatedAt: '2026-11-20T08:00:00.000Z',
};

export const exampleSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=';

const [, told] = exampleEvents;

/** Of the example call's end: its first try was answered 503. */
export const exampleDelivery: z.output<typeof deliverySchema> = {
  id: exampleDeliveryId,
  endpointId: exampleEndpointId,
  eventId: '5d2c7a90-1f5b-4c0e-8f0a-6a1d7e3b9c22',
  webhookId: 'msg_5d2c7a901f5b4c0e8f0a6a1d7e3b9c22',
  eventType: 'call.completed',
  callId: exampleCallId,
  url: endpointRequest.url,
  state: 'DELIVERED',
  tries: 2,
  lastStatus: 204,
  lastError: null,
  nextTryAt: null,
  createdAt: told?.at ?? '',
  endedAt: '2026-11-22T23:48:47.402Z',
};

export const exampleDeliveryWithLog: z.output<typeof deliveryWithLogSchema> = {
  ...exampleDelivery,
  log: [
    {
      number: 1,
      at: '2026-11-22T23:48:41.912Z',
      url: endpointRequest.url,
      status: 503,
      durationMs: 88,
      error: 'answered 503',
      response: 'Busy',
    },
    {
      number: 2,
      at: '2026-11-22T23:48:47.310Z',
      url: endpointRequest.url,
      status: 204,
      durationMs: 92,
      error: null,
      response: '',
    },
  ],
};

/** The same, right after it was asked for anew. */
export const exampleRedelivery: z.output<typeof deliverySchema> = {
  ...exampleDelivery,
  state: 'PENDING',
  lastStatus: null,
  endedAt: null,
};
