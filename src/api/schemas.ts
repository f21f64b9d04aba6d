import { z } from '@hono/zod-openapi';

import { attemptOutcomes, callStatuses, priorities, reportStatuses } from '../call/call';
import { errorCatalogue, type ErrorCode } from '../call/errors';
import { callEventTypes } from '../call/event';

/** What the API answers, for its description; tests hold the answers to these. */

const time = z.iso.datetime();
const metadata = z.record(z.string(), z.unknown());

export const callSchema = z
  .strictObject({
    id: z.uuid(),
    payload: z.strictObject({ to: z.string(), scriptId: z.string(), metadata }),
    priority: z.int().min(priorities.soonest).max(priorities.latest).openapi({
      description: 'The lower, the sooner it is served.',
    }),
    status: z.enum(callStatuses),
    attempts: z.int().openapi({ description: 'Attempts begun, that is, which held a slot.' }),
    maxAttempts: z.int(),
    lastError: z.string().nullable(),
    externalCallId: z.string().nullable().openapi({ description: "The provider's id of the latest attempt." }),
    createdAt: time,
    startedAt: time.nullable(),
    endedAt: time.nullable(),
    updatedAt: time,
    expiresAt: time,
    nextAttemptAt: time.nullable(),
    webhookUrl: z.string().nullable().openapi({ description: 'Where its events are sent, beside the endpoints.' }),
    forgottenAt: time.nullable().openapi({
      description: 'When its personal data was forgotten; `payload.to` is `forgotten` since.',
    }),
  })
  .openapi('Call');

export const callListSchema = z
  .strictObject({
    calls: z.array(callSchema),
    page: z.int(),
    limit: z.int(),
    total: z.int().openapi({ description: 'Calls that match, on all pages.' }),
    nextCursor: z.string().nullable().openapi({ description: 'Continues the list; null on the last page.' }),
  })
  .openapi('CallList');

export const attemptSchema = z
  .strictObject({
    id: z.uuid(),
    callId: z.uuid(),
    number: z.int(),
    slot: z.int(),
    externalCallId: z.string().nullable(),
    outcome: z.enum(attemptOutcomes).nullable(),
    failureReason: z.string().nullable(),
    durationSec: z.int().nullable(),
    queuedAt: time,
    startedAt: time,
    endedAt: time.nullable(),
  })
  .openapi('Attempt');

export const attemptListSchema = z.strictObject({ attempts: z.array(attemptSchema) });

export const reportSchema = z
  .strictObject({
    attemptId: z.uuid(),
    externalCallId: z.string(),
    status: z.enum(reportStatuses),
    durationSec: z.int().nullable(),
    failureReason: z.string().nullable(),
    completedAt: time.openapi({ description: "The provider's time." }),
    receivedAt: time,
  })
  .openapi('ProviderReport');

export const reportListSchema = z.strictObject({ reports: z.array(reportSchema) });

export const eventSchema = z
  .strictObject({
    eventId: z.uuid(),
    callId: z.uuid(),
    sequence: z.int(),
    type: z.enum(callEventTypes),
    at: time,
    call: callSchema,
    attempt: attemptSchema.optional(),
    reason: z.string().optional(),
  })
  .openapi('CallEvent');

export const eventListSchema = z.strictObject({ events: z.array(eventSchema) });

const count = z.int().nonnegative();

export const metricsSchema = z
  .strictObject({
    PENDING: count,
    IN_PROGRESS: count,
    COMPLETED: count,
    FAILED: count,
    EXPIRED: count,
    CANCELED: count,
    slots: z.strictObject({ limit: count, held: count, waiting: count }),
  })
  .openapi('Metrics');

const dependencySchema = z.strictObject({
  status: z.enum(['up', 'down']),
  required: z.boolean(),
  detail: z.string().optional(),
});

export const readinessSchema = z
  .strictObject({
    status: z.enum(['ready', 'degraded', 'unavailable']),
    dependencies: z.record(z.string(), dependencySchema),
  })
  .openapi('Readiness');

export const problemSchema = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.enum(Object.keys(errorCatalogue) as ErrorCode[]),
    error: z.string().openapi({ description: 'Repeats `detail`, for simple clients.' }),
    errors: z
      .array(z.strictObject({ path: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: 'Every bad field.' }),
    activeCallId: z.uuid().optional().openapi({ description: 'The call that occupies the number.' }),
  })
  .openapi('Problem');

const rowStatus = z.enum(['ACCEPTED', 'REPLAYED', 'REFUSED']).openapi({
  description: 'REPLAYED: the key came before with the same request, and this is the call that was made then.',
});

export const batchSchema = z
  .strictObject({
    accepted: count,
    replayed: count,
    refused: count,
    results: z.array(
      z.strictObject({
        index: count,
        status: rowStatus,
        call: callSchema.optional().openapi({ description: 'As it was accepted; of a row that was not refused.' }),
        problem: problemSchema.optional().openapi({ description: 'Of a row that was refused.' }),
      }),
    ),
  })
  .openapi('Batch');

export const importLineSchema = z
  .union([
    z.strictObject({
      row: z.int().positive().openapi({ description: '1 for the first after the line that names the columns.' }),
      status: rowStatus,
      callId: z.uuid().optional(),
      code: problemSchema.shape.code.optional(),
      error: z.string().optional(),
      errors: problemSchema.shape.errors,
      activeCallId: problemSchema.shape.activeCallId,
    }),
    z.strictObject({
      summary: z.strictObject({ rows: count, accepted: count, replayed: count, refused: count }),
    }),
    z.strictObject({ problem: problemSchema }),
  ])
  .openapi('ImportLine');
