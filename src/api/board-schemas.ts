import { z } from '@hono/zod-openapi';

import { lineStates, waitReasons } from '../call/board';
import { priorities } from '../call/call';

/** What the board, the statistics and the pause switch answer. */

const time = z.iso.datetime();
const count = z.int().nonnegative();

export const pauseSchema = z
  .strictObject({ since: time, reason: z.string().nullable() })
  .nullable()
  .openapi('Pause', { description: 'Since when nothing new is dialled; null while calls are dialled as usual.' });

const lineSchema = z.strictObject({
  callId: z.uuid(),
  to: z.string(),
  scriptId: z.string(),
  attemptId: z.uuid(),
  attempt: z.int().positive().openapi({ description: '1 for the first.' }),
  maxAttempts: z.int().positive(),
  state: z.enum(lineStates),
  since: time.openapi({ description: 'When it got the slot.' }),
  externalCallId: z.string().nullable(),
});

const queuedCallSchema = z.strictObject({
  callId: z.uuid(),
  to: z.string(),
  scriptId: z.string(),
  priority: z.int().min(priorities.soonest).max(priorities.latest),
  attempt: z.int().positive().openapi({ description: 'The attempt that it waits for.' }),
  place: z.int().positive().nullable().openapi({
    description: 'In the queue for a slot, 1 for the next; null while it waits for something else first.',
  }),
  waitsFor: z.enum(waitReasons).openapi({
    description:
      'START: its workflow is not started yet. SLOT: a slot. BACKOFF: the time of its next attempt. NUMBER: an earlier ' +
      'attempt to the number is still on the line. PAUSE: dialling is paused.',
  }),
  since: time,
  startsAbout: time.nullable().openapi({ description: 'An estimate.' }),
});

export const boardSchema = z
  .strictObject({
    at: time,
    limit: z.int().positive().openapi({ description: 'How many slots there are.' }),
    pause: pauseSchema,
    slots: z.array(z.strictObject({ slot: z.int().positive(), line: lineSchema.nullable() })).openapi({
      description: 'By number; above the limit those that are still held since it was lowered.',
    }),
    queue: z.strictObject({
      total: count.openapi({ description: 'PENDING calls. Of more than ten thousand it may be as of a moment ago.' }),
      calls: z.array(queuedCallSchema),
      nextCursor: z.string().nullable(),
    }),
  })
  .openapi('Board');

const distributionSchema = z.strictObject({
  unit: z.literal('seconds'),
  median: z.number().nonnegative().nullable(),
  p95: z.number().nonnegative().nullable(),
  bins: z.array(
    z.strictObject({
      from: z.number().nonnegative(),
      to: z.number().positive().nullable().openapi({ description: 'Null: and more.' }),
      count,
    }),
  ),
});

const ended = { completed: count, failed: count, expired: count, canceled: count };

export const statisticsSchema = z
  .strictObject({
    from: time,
    to: time,
    bucketSeconds: z.int().positive(),
    buckets: z.array(z.strictObject({ at: time, ...ended })).openapi({
      description: 'Calls by when they ended; the first and the last may reach beyond the range, and count within it.',
    }),
    totals: z.strictObject({
      ...ended,
      successRate: z.number().min(0).max(1).nullable().openapi({
        description: 'Of those that were not canceled, how many are COMPLETED; null where there are none.',
      }),
    }),
    durations: distributionSchema.openapi({ description: 'How long attempts lasted that ended well.' }),
    waits: distributionSchema.openapi({
      description: 'How long attempts had waited for their slot, since acceptance or since their backoff was over.',
    }),
    failures: z.array(z.strictObject({ reason: z.string(), count })).openapi({
      description: 'Why calls FAILED, the ten most frequent reasons; the rest, if any, as `other`.',
    }),
  })
  .openapi('Statistics');

export const controlSchema = z.strictObject({ pause: pauseSchema }).openapi('Control');

export type Board = z.output<typeof boardSchema>;
export type Control = z.output<typeof controlSchema>;
export type Distribution = z.output<typeof distributionSchema>;
export type Statistics = z.output<typeof statisticsSchema>;
