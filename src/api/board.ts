import { z } from '@hono/zod-openapi';

import type { WaitReason } from '../call/board';
import { parseRequest } from '../call/request';
import type { Config } from '../config';
import { readBoard, type BoardPicture, type LineRow, type QueuedRow } from '../store/board';
import type { MatchCounter } from '../store/call-list';
import type { Database } from '../store/database';
import { exampleBoard } from './board-examples';
import { boardSchema, type Board } from './board-schemas';
import { queryOf } from './call-filter';
import { jsonAnswer, problemAnswers, type Endpoint } from './endpoint';
import { queueCursor, wholeNumber, writeQueueCursor } from './paging';

export interface BoardDeps {
  db: Database;
  matches: MatchCounter;
  config: Pick<Config, 'MAX_CONCURRENT_CALLS'>;
}

type Slot = Board['slots'][number];
type QueuedCall = Board['queue']['calls'][number];

const maxLimit = 200;
const defaultLimit = 50;

const querySchema = z.strictObject({
  limit: wholeNumber(maxLimit, defaultLimit),
  cursor: queueCursor('A `nextCursor`: goes on in the queue where it ended.'),
});

/** `GET /board`: who is on each slot, and who waits for one, by the record. */
export function getBoard({ db, matches, config }: BoardDeps): Endpoint {
  return {
    access: 'read',
    description: {
      operationId: 'getBoard',
      summary: 'Who is on each slot, and who waits, in the order in which they will be served',
      description:
        '`startsAbout` is an estimate: of the place in the queue and of how long slots were held in the last 15 minutes. ' +
        'It is null where nothing can be said, as while dialling is paused.',
      tags: ['Operation'],
      request: { query: querySchema },
      responses: {
        200: jsonAnswer('The slots, and one page of the queue', boardSchema, exampleBoard),
        ...problemAnswers('INVALID_REQUEST'),
      },
    },
    handle: async (c) => {
      const { limit, cursor: after } = parseRequest(querySchema, queryOf(c));
      const picture = await readBoard(db, { limit, after });
      const total = await matches.count({ status: ['PENDING'] });
      return c.json(boardOf(picture, config.MAX_CONCURRENT_CALLS, total), 200);
    },
  };
}

function boardOf(picture: BoardPicture, slotLimit: number, total: number): Board {
  const { at, pause, lines, queued, more } = picture;
  const last = queued.at(-1);
  return {
    at: at.toISOString(),
    limit: slotLimit,
    pause,
    slots: slotsOf(lines, slotLimit),
    queue: {
      // Counted apart, and of many not each time.
      total: Math.max(total, queued.length),
      calls: queuedCalls(picture, slotLimit),
      nextCursor: more && last ? writeQueueCursor(last.queueSeq) : null,
    },
  };
}

/** All there are, and those above a limit that was lowered while they are held. */
function slotsOf(lines: readonly LineRow[], slotLimit: number): Slot[] {
  const held = new Map(lines.map(({ slot, ...line }) => [slot, { ...line, since: line.since.toISOString() }]));
  const numbers = new Set([...Array.from({ length: slotLimit }, (_, index) => index + 1), ...held.keys()]);
  return [...numbers].sort((a, b) => a - b).map((slot) => ({ slot, line: held.get(slot) ?? null }));
}

function queuedCalls(picture: BoardPicture, slotLimit: number): QueuedCall[] {
  let place = picture.before;
  return picture.queued.map((row) => {
    const waitsFor = waitReasonOf(row, picture.pause !== null);
    const inQueue = row.queuedAt === null ? null : ++place;
    const { callId, to, scriptId, priority, attempt } = row;
    return {
      ...{ callId, to, scriptId, priority, attempt, place: inQueue, waitsFor },
      since: sinceOf(row, waitsFor).toISOString(),
      startsAbout: startOf(picture, row, inQueue, slotLimit)?.toISOString() ?? null,
    };
  });
}

function waitReasonOf(row: QueuedRow, isPaused: boolean): WaitReason {
  if (row.queuedAt === null) return row.nextAttemptAt === null ? 'START' : 'BACKOFF';
  if (row.numberBusy) return 'NUMBER';
  return isPaused ? 'PAUSE' : 'SLOT';
}

function sinceOf(row: QueuedRow, waitsFor: WaitReason): Date {
  return row.queuedAt ?? (waitsFor === 'BACKOFF' ? row.attemptEndedAt : null) ?? row.updatedAt;
}

/** The place-th slot to be given back goes to it: one is every so many seconds, where all are in use. */
function startOf(picture: BoardPicture, row: QueuedRow, place: number | null, slotLimit: number): Date | null {
  if (place === null) return row.nextAttemptAt;
  if (picture.pause !== null || row.numberBusy || picture.heldSeconds === null) return null;
  const ahead = Math.max(place - Math.max(slotLimit - picture.lines.length, 0), 0);
  return new Date(picture.at.getTime() + Math.round((ahead * picture.heldSeconds) / slotLimit) * 1_000);
}
