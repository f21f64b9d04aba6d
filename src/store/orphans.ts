import { sql } from 'kysely';

import { activeStatuses } from '../call/transitions';
import { anyOf } from './any-of';
import type { CallRow, Database, DatabaseTransaction } from './database';

/** What the reconciler asks the record about attempts that their workflow may have left behind. */

/** A call's attempt by the run that queued for it. */
export interface QueuedRun {
  callId: string;
  runId: string;
  /** Its place in the workflow's chain of retries: 1 for the first. */
  runNumber: number;
  queuedAt: Date;
}

/** An attempt in progress, with the run that began it. */
export interface LiveAttempt extends QueuedRun {
  attemptId: string;
  round: number;
}

const queuedRun = ['call_id as callId', 'run_id as runId', 'run_number as runNumber', 'queued_at as queuedAt'] as const;

export async function listLiveAttempts(db: Database): Promise<LiveAttempt[]> {
  return db
    .selectFrom('attempts')
    .select(['id as attemptId', 'round', ...queuedRun])
    .where('started_at', 'is not', null)
    .where('ended_at', 'is', null)
    .execute();
}

/** All that is known of an attempt's line, as one word: it changes with every request to the provider and its answer. */
export const lineState = sql<string>`concat_ws('/', external_call_id, in_doubt, extract(epoch from asked_at))`;

/**
 * @returns the line of an attempt in progress: as one word for `endAttempt`, and for how long the provider has not been
 *   asked to place it; undefined once the attempt has ended
 */
export async function readLine(
  db: Database,
  attemptId: string,
): Promise<{ seen: string; quietSeconds: number } | undefined> {
  return db
    .selectFrom('attempts')
    .select((eb) => [
      lineState.as('seen'),
      eb
        .cast<number>(sql`extract(epoch from now() - coalesce(asked_at, started_at))`, 'double precision')
        .as('quietSeconds'),
    ])
    .where('id', '=', attemptId)
    .where('ended_at', 'is', null)
    .executeTakeFirst();
}

/** The attempt goes on in another run of its workflow. @returns whether it was another's until now */
export async function adoptAttempt(trx: DatabaseTransaction, attemptId: string, runId: string): Promise<boolean> {
  const adopted = await trx
    .updateTable('attempts')
    .set({ run_id: runId })
    .where('id', '=', attemptId)
    .where('run_id', '!=', runId)
    .where('ended_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return adopted !== undefined;
}

/** A call that the provider placed for an attempt which had ended by then. */
export interface StrayLine {
  callId: string;
  attemptId: string;
  externalCallId: string;
}

/** Lines that nobody waits for, and that are not known to be down. */
export async function listStrayLines(db: Database): Promise<(StrayLine & { quietSeconds: number })[]> {
  return (
    db
      .selectFrom('attempts')
      .select((eb) => [
        'attempts.id as attemptId',
        'call_id as callId',
        eb.ref('attempts.external_call_id').$notNull().as('externalCallId'),
        eb
          .cast<number>(sql`extract(epoch from now() - coalesce(asked_at, started_at))`, 'double precision')
          .as('quietSeconds'),
      ])
      .where('ended_at', 'is not', null)
      .where('in_doubt', '=', true)
      .where('attempts.external_call_id', 'is not', null)
      // One that was reported is down.
      .where((eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom('provider_reports')
              .select('provider_reports.id')
              .whereRef('provider_reports.attempt_id', '=', 'attempts.id'),
          ),
        ),
      )
      .execute()
  );
}

/** The stray line is down. @returns whether it was not known to be until now */
export async function settleStrayLine(trx: DatabaseTransaction, attemptId: string): Promise<boolean> {
  const settled = await trx
    .updateTable('attempts')
    .set({ in_doubt: false })
    .where('id', '=', attemptId)
    .where('in_doubt', '=', true)
    .returning('id')
    .executeTakeFirst();
  return settled !== undefined;
}

/**
 * Ended calls that still stand among the next in the queue, for a while: their workflow takes them out of it, unless it
 * is gone. A bounded look, as long as the queue may be: whoever stands further back is found when the turn comes.
 */
export async function listEndedInQueue(
  db: Database,
  { nextInQueue, olderThanSeconds }: { nextInQueue: number; olderThanSeconds: number },
): Promise<string[]> {
  const rows = await db
    .with('next', (ctes) =>
      ctes
        .selectFrom('attempts')
        .select('call_id')
        .where('started_at', 'is', null)
        .where('ended_at', 'is', null)
        .orderBy('queue_seq')
        .limit(nextInQueue),
    )
    .selectFrom('next')
    .innerJoin('calls', 'calls.id', 'next.call_id')
    .select('calls.id')
    .distinct()
    .where('calls.status', 'not in', activeStatuses)
    .where('calls.updated_at', '<=', sql<Date>`now() - make_interval(secs => ${olderThanSeconds})`)
    .execute();
  return rows.map((row) => row.id);
}

/** PENDING calls in a row, from a random place in the order of acceptance: over time, all. */
export async function samplePendingCalls(db: Database, size: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    with pending as (select min(seq) as first, max(seq) as last from calls where status = 'PENDING'),
         somewhere as materialized (select first + floor(random() * (last - first + 1))::bigint as seq from pending)
    (select id from calls where status = 'PENDING' and seq >= (select seq from somewhere) order by seq limit ${size})
    union all
    (select id from calls where status = 'PENDING' and seq < (select seq from somewhere) order by seq limit ${size})
    limit ${size}`.execute(db);
  return rows.map((row) => row.id);
}

/** @returns the run that each of the calls waits in the queue for, of those that do */
export async function listWaitingRuns(db: Database, callIds: readonly string[]): Promise<QueuedRun[]> {
  return db
    .selectFrom('attempts')
    .select(queuedRun)
    .where('call_id', '=', anyOf(callIds))
    .where('started_at', 'is', null)
    .where('ended_at', 'is', null)
    .execute();
}

/**
 * @returns those of the calls that nothing is on its way for: of `waiting` the PENDING ones, of `ended` those that ended
 *   a while ago
 */
export async function readSettledCalls(
  db: Database,
  ids: { waiting: readonly string[]; ended: readonly string[] },
  options: { endedForSeconds: number },
): Promise<CallRow[]> {
  const endedBy = sql<Date>`now() - make_interval(secs => ${options.endedForSeconds})`;
  return db
    .selectFrom('calls')
    .selectAll()
    .where('handoff', 'is', null)
    .where((eb) =>
      eb.or([
        eb.and([eb('status', '=', 'PENDING'), eb('id', '=', anyOf(ids.waiting))]),
        eb.and([
          eb('status', 'not in', activeStatuses),
          eb('id', '=', anyOf(ids.ended)),
          eb('updated_at', '<=', endedBy),
        ]),
      ]),
    )
    .execute();
}
