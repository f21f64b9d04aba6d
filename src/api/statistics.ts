import { z } from '@hono/zod-openapi';

import { CallError } from '../call/errors';
import { parseRequest } from '../call/request';
import type { Database } from '../store/database';
import { readEnds, type EndedCalls, type FailureReason, type Span } from '../store/statistics';
import { exampleStatistics } from './board-examples';
import { statisticsSchema, type Statistics } from './board-schemas';
import { queryOf, time } from './call-filter';
import { distributionOf } from './distribution';
import { jsonAnswer, problemAnswers, type Endpoint } from './endpoint';

export interface StatisticsDeps {
  db: Database;
}

const day = 86_400;
const defaultSeconds = day;
const maxSeconds = 31 * day;
const maxBuckets = 120;
const bucketSteps = [5, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200];
const reasonsAtMost = 10;

const querySchema = z.strictObject({
  from: time('Calls that ended at this time or later; by itself a day before `to`.').optional(),
  to: time('Calls that ended before this time; by itself now.').optional(),
});

/** `GET /statistics`: what became of the calls that ended in a range of time. */
export function getStatistics({ db }: StatisticsDeps): Endpoint {
  return {
    access: 'read',
    description: {
      operationId: 'getStatistics',
      summary: 'What became of the calls that ended in a range of time of at most 31 days, and how long they took',
      tags: ['Operation'],
      request: { query: querySchema },
      responses: {
        200: jsonAnswer('Counts, distributions and reasons', statisticsSchema, exampleStatistics),
        ...problemAnswers('INVALID_REQUEST'),
      },
    },
    handle: async (c) => {
      const span = spanOf(parseRequest(querySchema, queryOf(c)));
      const bucketSeconds = bucketSecondsFor(span);
      const { ended, durations, waits, failures } = await readEnds(db, span, { bucketSeconds, reasonsAtMost });
      const totals = totalsOf(ended);
      return c.json(
        {
          from: span.from.toISOString(),
          to: span.to.toISOString(),
          bucketSeconds,
          buckets: bucketsOf(span, bucketSeconds, ended),
          totals,
          durations: distributionOf(durations),
          waits: distributionOf(waits),
          failures: withOthers(failures, totals.failed),
        } satisfies Statistics,
        200,
      );
    },
  };
}

/** @throws CallError INVALID_REQUEST */
function spanOf({ from, to = new Date() }: { from?: Date | undefined; to?: Date | undefined }): Span {
  const span = { from: from ?? new Date(to.getTime() - defaultSeconds * 1_000), to };
  const seconds = (span.to.getTime() - span.from.getTime()) / 1_000;
  if (seconds > 0 && seconds <= maxSeconds) return span;
  const message = seconds > 0 ? 'must be at most 31 days before to' : 'must be before to';
  throw new CallError('INVALID_REQUEST', `from ${message}`, { errors: [{ path: 'from', message }] });
}

function bucketSecondsFor(span: Span): number {
  const fits = bucketSteps.find((seconds) => bucketStarts(span, seconds).count <= maxBuckets);
  return fits ?? day;
}

/** They are counted from 1970 on, so that a range that moves on moves from bucket to bucket and not within them. */
function bucketStarts({ from, to }: Span, bucketSeconds: number): { first: number; count: number } {
  const step = bucketSeconds * 1_000;
  const first = Math.floor(from.getTime() / step);
  return { first: first * step, count: Math.floor((to.getTime() - 1) / step) - first + 1 };
}

type Counts = Omit<Statistics['totals'], 'successRate'>;
const none: Counts = { completed: 0, failed: 0, expired: 0, canceled: 0 };

function counted(ended: readonly EndedCalls[]): Counts {
  const counts = { ...none };
  for (const { status, count } of ended) counts[status.toLowerCase() as keyof Counts] += count;
  return counts;
}

function bucketsOf(span: Span, bucketSeconds: number, ended: readonly EndedCalls[]): Statistics['buckets'] {
  const { first, count } = bucketStarts(span, bucketSeconds);
  return Array.from({ length: count }, (_, index) => {
    const at = first + index * bucketSeconds * 1_000;
    return { at: new Date(at).toISOString(), ...counted(ended.filter((one) => one.at.getTime() === at)) };
  });
}

function totalsOf(ended: readonly EndedCalls[]): Statistics['totals'] {
  const counts = counted(ended);
  const judged = counts.completed + counts.failed + counts.expired;
  return { ...counts, successRate: judged === 0 ? null : Math.round((counts.completed / judged) * 1e4) / 1e4 };
}

function withOthers(failures: FailureReason[], failed: number): FailureReason[] {
  const others = failed - failures.reduce((sum, { count }) => sum + count, 0);
  return others > 0 ? [...failures, { reason: 'other', count: others }] : failures;
}
