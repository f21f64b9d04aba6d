import { sql } from 'kysely';

import type { LineState, Pause } from '../call/board';
import { readPause } from './control';
import { atOneMoment, type Database, type DatabaseTransaction } from './database';

/** An attempt that holds a slot. */
export interface LineRow {
  slot: number;
  callId: string;
  to: string;
  scriptId: string;
  attemptId: string;
  attempt: number;
  maxAttempts: number;
  state: LineState;
  since: Date;
  externalCallId: string | null;
}

/** A PENDING call. */
export interface QueuedRow {
  callId: string;
  to: string;
  scriptId: string;
  priority: number;
  attempt: number;
  queueSeq: number;
  /** Since when its attempt waits in the queue; null where it has none there. */
  queuedAt: Date | null;
  /** Its number has another attempt on the line. */
  numberBusy: boolean;
  nextAttemptAt: Date | null;
  /** When its last attempt ended. */
  attemptEndedAt: Date | null;
  updatedAt: Date;
}

export interface BoardPicture {
  at: Date;
  pause: Pause | null;
  lines: LineRow[];
  queued: QueuedRow[];
  /** More than these are PENDING. */
  more: boolean;
  /** Attempts that wait in the queue before the first of `queued`. */
  before: number;
  /** For how long a slot was held lately, on average; null where none was given back. */
  heldSeconds: number | null;
}

/** As it was at one moment: a call is on a slot or in the queue, never both. @param after a `queueSeq` */
export function readBoard(
  db: Database,
  { limit, after }: { limit: number; after: number | undefined },
): Promise<BoardPicture> {
  return atOneMoment(db, async (trx) => {
    const { rows } = await sql<{ at: Date }>`select now() as at`.execute(trx);
    const queued = await listQueued(trx, { limit: limit + 1, after });
    return {
      at: rows[0]?.at ?? new Date(),
      pause: await readPause(trx),
      lines: await listLines(trx),
      queued: queued.slice(0, limit),
      more: queued.length > limit,
      before: after === undefined ? 0 : await countWaiting(trx, after),
      heldSeconds: await meanHeldSeconds(trx),
    };
  });
}

async function listLines(trx: DatabaseTransaction): Promise<LineRow[]> {
  const { rows } = await sql<LineRow>`
    select attempts.slot, attempts.call_id as "callId", attempts.to_number as "to", calls.script_id as "scriptId",
           attempts.id as "attemptId", attempts.number as attempt, calls.max_attempts as "maxAttempts",
           case when calls.status <> 'IN_PROGRESS' then 'HANGING_UP'
                when attempts.external_call_id is not null
                     or exists (select 1 from provider_reports where attempt_id = attempts.id) then 'ON_THE_LINE'
                else 'DIALLING' end as state,
           attempts.started_at as since, attempts.external_call_id as "externalCallId"
      from attempts join calls on calls.id = attempts.call_id
     where attempts.started_at is not null and attempts.ended_at is null
     order by attempts.slot`.execute(trx);
  return rows;
}

/** In the order of their places (queue-place.ts), whether or not their attempt waits there already. */
async function listQueued(
  trx: DatabaseTransaction,
  { limit, after }: { limit: number; after: number | undefined },
): Promise<QueuedRow[]> {
  const { rows } = await sql<QueuedRow>`
    select calls.id as "callId", calls.to_number as "to", calls.script_id as "scriptId", calls.priority,
           calls.attempts + 1 as attempt, calls.queue_seq as "queueSeq",
           case when last.started_at is null and last.ended_at is null then last.queued_at end as "queuedAt",
           exists (select 1 from attempts as live
                    where live.to_number = calls.to_number
                      and live.started_at is not null and live.ended_at is null) as "numberBusy",
           calls.next_attempt_at as "nextAttemptAt", last.ended_at as "attemptEndedAt", calls.updated_at as "updatedAt"
      from calls
      left join lateral (
        select queued_at, started_at, ended_at from attempts
         where call_id = calls.id order by queued_at desc limit 1) as last on true
     where calls.status = 'PENDING' ${after === undefined ? sql`` : sql`and calls.queue_seq > ${after}`}
     order by calls.queue_seq
     limit ${limit}`.execute(trx);
  return rows;
}

/** Up to that place, itself included. */
async function countWaiting(trx: DatabaseTransaction, queueSeq: number): Promise<number> {
  const { count } = await trx
    .selectFrom('attempts')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('started_at', 'is', null)
    .where('ended_at', 'is', null)
    .where('queue_seq', '<=', queueSeq)
    .executeTakeFirstOrThrow();
  return count;
}

const lately = sql`interval '15 minutes'`;
/** The latest of them: what is true now, whatever was before. */
const attemptsAtMost = 300;

async function meanHeldSeconds(trx: DatabaseTransaction): Promise<number | null> {
  const { rows } = await sql<{ seconds: number | null }>`
    select avg(extract(epoch from ended_at - started_at))::double precision as seconds
      from (select started_at, ended_at from attempts
             where started_at is not null and ended_at is not null and ended_at > now() - ${lately}
             order by ended_at desc limit ${attemptsAtMost}) as ended`.execute(trx);
  return rows[0]?.seconds ?? null;
}
