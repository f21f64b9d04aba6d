import { sql, type RawBuilder } from 'kysely';

import type { FinalStatus } from '../call/call';
import { atOneMoment, type Database, type DatabaseTransaction } from './database';

export interface Span {
  from: Date;
  /** At this time itself no more. */
  to: Date;
}

/** So many calls ended so in the seconds that begin at `at`. */
export interface EndedCalls {
  at: Date;
  status: FinalStatus;
  count: number;
}

/** So many took so long. */
export interface Spread {
  seconds: number;
  count: number;
}

export interface FailureReason {
  reason: string;
  count: number;
}

export interface Ends {
  ended: EndedCalls[];
  /** The shortest first. */
  durations: Spread[];
  /** The shortest first. */
  waits: Spread[];
  /** The most frequent first. */
  failures: FailureReason[];
}

/**
 * What became of the calls and attempts that ended in the span, as of one moment.
 *
 * @param bucketSeconds counted from 1970 on
 */
export function readEnds(
  db: Database,
  span: Span,
  { bucketSeconds, reasonsAtMost }: { bucketSeconds: number; reasonsAtMost: number },
): Promise<Ends> {
  return atOneMoment(db, async (trx) => {
    // The groups are few, but PostgreSQL cannot know: with the usual 4 MB it sorts every row on disk.
    await sql`set local work_mem = '32MB'`.execute(trx);
    const ofAttempts = await spreadOfAttempts(trx, span);
    return {
      ended: await countEnded(trx, span, bucketSeconds),
      durations: inOrder(ofAttempts.durations),
      waits: inOrder([...(await spreadOfFirstWaits(trx, span)), ...ofAttempts.waits]),
      failures: await countFailures(trx, span, reasonsAtMost),
    };
  });
}

/** As they are now: one that was retried has not ended. */
async function countEnded(trx: DatabaseTransaction, { from, to }: Span, bucketSeconds: number): Promise<EndedCalls[]> {
  const { rows } = await sql<EndedCalls>`
    select date_bin(make_interval(secs => ${bucketSeconds}), ended_at, 'epoch') as at, status, count(*) as count
      from calls
     where ended_at >= ${from} and ended_at < ${to} and status not in ('PENDING', 'IN_PROGRESS')
     group by 1, 2`.execute(trx);
  return rows;
}

/** How long an attempt that ended well lasted: by the provider's word, or else from slot to report. */
const duration = sql<number>`case when outcome = 'COMPLETED'
  then coalesce(duration_sec, date_part('epoch', ended_at - started_at)) end`;

/** How long an attempt had waited for its slot, but for a call's very first one: that wait begins with acceptance. */
const laterWait = sql<number>`case when number > 1 or round > 1
  then date_part('epoch', started_at - queued_at) end`;

async function spreadOfAttempts(
  trx: DatabaseTransaction,
  { from, to }: Span,
): Promise<{ durations: Spread[]; waits: Spread[] }> {
  const { rows } = await sql<{ duration: number | null; wait: number | null; count: number }>`
    select duration, wait, count(*) as count
      from (select ${rounded(duration)} as duration, ${rounded(laterWait)} as wait
              from attempts
             where ended_at >= ${from} and ended_at < ${to} and started_at is not null) as ended
     group by grouping sets ((duration), (wait))`.execute(trx);
  const spreadOf = (field: 'duration' | 'wait') =>
    rows.flatMap((row) => (row[field] === null ? [] : [{ seconds: row[field], count: row.count }]));
  return { durations: spreadOf('duration'), waits: spreadOf('wait') };
}

async function spreadOfFirstWaits(trx: DatabaseTransaction, { from, to }: Span): Promise<Spread[]> {
  const { rows } = await sql<Spread>`
    select ${rounded(sql`date_part('epoch', started_at - created_at)`)} as seconds, count(*) as count
      from calls
     where ended_at >= ${from} and ended_at < ${to} and started_at is not null and round = 1
     group by 1`.execute(trx);
  return rows;
}

/** Numbers in a reason count for nothing: providers write ids and times into theirs. */
async function countFailures(trx: DatabaseTransaction, { from, to }: Span, atMost: number): Promise<FailureReason[]> {
  const { rows } = await sql<FailureReason>`
    select left(regexp_replace(reason, '\\d+', '…', 'g'), 120) as reason, sum(count)::bigint as count
      from (select coalesce(last_error, 'unknown') as reason, count(*) as count
              from calls
             where ended_at >= ${from} and ended_at < ${to} and status = 'FAILED'
             group by 1) as failures
     group by 1
     order by 2 desc, 1
     limit ${atMost}`.execute(trx);
  return rows;
}

/** To three digits: there are a few thousand different ones at most, however many attempts there were. */
function rounded(seconds: RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`case
    when ${seconds} < 100 then round(${seconds} * 10) / 10
    when ${seconds} < 1000 then round(${seconds})
    when ${seconds} < 10000 then round(${seconds} / 10) * 10
    when ${seconds} < 100000 then round(${seconds} / 100) * 100
    else round(${seconds} / 1000) * 1000 end`;
}

function inOrder(spread: Spread[]): Spread[] {
  return spread.sort((a, b) => a.seconds - b.seconds);
}
