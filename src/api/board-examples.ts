import type { Board, Control, Statistics } from './board-schemas';
import { completedCall, exampleAttempt, exampleRequest, pendingCall } from './examples';

/** What /openapi.json shows of the board, the statistics and the pause switch; as in examples.ts, they stand as they are. */

const slotsOfExample = 30;
const slotInUse = 7;

/** One call on the line, and one that waits for its second attempt. */
export const exampleBoard: Board = {
  at: '2026-11-22T23:48:30.000Z',
  limit: slotsOfExample,
  pause: null,
  slots: Array.from({ length: slotsOfExample }, (_, index) => ({
    slot: index + 1,
    line:
      index + 1 === slotInUse
        ? {
            callId: exampleAttempt.callId,
            to: exampleRequest.to,
            scriptId: exampleRequest.scriptId,
            attemptId: exampleAttempt.id,
            attempt: 1,
            maxAttempts: completedCall.maxAttempts,
            state: 'ON_THE_LINE',
            since: exampleAttempt.startedAt,
            externalCallId: exampleAttempt.externalCallId,
          }
        : null,
  })),
  queue: {
    total: 1,
    calls: [
      {
        callId: '1c9a3a52-0d84-4f0c-9a57-5a8c3f7d6b10',
        to: '+966501234568',
        scriptId: exampleRequest.scriptId,
        priority: 3,
        attempt: 2,
        place: null,
        waitsFor: 'BACKOFF',
        since: pendingCall.updatedAt,
        startsAbout: '2026-11-22T23:48:35.000Z',
      },
    ],
    nextCursor: null,
  },
};

/** In which `completedCall` ended. */
export const exampleRange = { from: '2026-11-22T23:48:30.000Z', to: '2026-11-22T23:48:45.000Z' };

const quiet = { completed: 0, failed: 0, expired: 0, canceled: 0 };

export const exampleStatistics: Statistics = {
  ...exampleRange,
  bucketSeconds: 5,
  buckets: [
    { at: '2026-11-22T23:48:30.000Z', ...quiet },
    { at: '2026-11-22T23:48:35.000Z', ...quiet },
    { at: '2026-11-22T23:48:40.000Z', ...quiet, completed: 1 },
  ],
  totals: { ...quiet, completed: 1, successRate: 1 },
  durations: {
    unit: 'seconds',
    median: 21,
    p95: 21,
    bins: Array.from({ length: 11 }, (_, bin) => ({ from: bin * 2, to: bin * 2 + 2, count: bin === 10 ? 1 : 0 })),
  },
  waits: { unit: 'seconds', median: 0.2, p95: 0.2, bins: [{ from: 0, to: 1, count: 1 }] },
  failures: [],
};

export const examplePause = { since: '2026-11-22T23:51:00.000Z', reason: 'The provider is being moved' };
export const exampleControl: Control = { pause: null };
