import type { z } from 'zod';

import type { Board, Control, Statistics } from '../api/board-schemas';
import type {
  attemptSchema,
  batchSchema,
  callListSchema,
  callSchema,
  eventSchema,
  importLineSchema,
  metricsSchema,
  problemSchema,
  reportSchema,
} from '../api/schemas';
import type { CallStatus } from '../call/call';
import type { CallEventType, CallRejectedEvent } from '../call/event';
import type { RequestSchemas } from '../call/request';

/** What goes to the API and comes from it, by the schemas that check the one and describe the other. */

export type { Board, CallEventType, CallRejectedEvent, CallStatus, Control, Statistics };
export type { Json, Metadata } from '../call/call';
export type { ErrorCode } from '../call/errors';

export type Call = z.output<typeof callSchema>;
export type CallList = z.output<typeof callListSchema>;
export type Attempt = z.output<typeof attemptSchema>;
export type CallEvent = z.output<typeof eventSchema>;
export type ProviderReport = z.output<typeof reportSchema>;
export type Stats = z.output<typeof metricsSchema>;
export type Problem = z.output<typeof problemSchema>;

export type Batch = z.output<typeof batchSchema>;
export type ImportLine = z.output<typeof importLineSchema>;
export type ImportedRow = Extract<ImportLine, { row: number }>;
export type ImportSummary = Extract<ImportLine, { summary: unknown }>['summary'];

/** Of a batch: a call's request, with a `requestId` that is to it what an Idempotency-Key is to `create`. */
export type BatchRow = z.input<RequestSchemas['message']>;
export type CallRequest = z.input<RequestSchemas['call']>;
export type CallChange = z.input<RequestSchemas['change']>;

/** Which calls to list; all conditions must hold. */
export interface CallFilter {
  /** Several: any of them. */
  status?: CallStatus | readonly CallStatus[] | undefined;
  /** E.164. */
  to?: string | undefined;
  scriptId?: string | undefined;
  /** Accepted at this time or later. */
  createdAfter?: Date | string | undefined;
  /** Accepted before this time. */
  createdBefore?: Date | string | undefined;
  /** What the metadata has, under each of these names of its first level. */
  metadata?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface BoardRequest {
  /** How much of the queue, 1 to 200. */
  limit?: number | undefined;
  /** The `nextCursor` of the page of the queue before. */
  cursor?: string | undefined;
}

/** At most 31 days; without `to` until now, without `from` the 24 hours before. */
export interface StatisticsRequest {
  from?: Date | string | undefined;
  to?: Date | string | undefined;
}

export interface PageRequest extends CallFilter {
  /** From 1; counts for nothing where there is a cursor. */
  page?: number | undefined;
  /** 1 to 100. */
  limit?: number | undefined;
  /** The `nextCursor` of the page before. */
  cursor?: string | undefined;
}
