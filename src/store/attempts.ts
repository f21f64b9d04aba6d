import { sql } from 'kysely';

import type { Attempt, AttemptOutcome, CallStatus } from '../call/call';
import { anyOf } from './any-of';
import type { AttemptRow, Database, DatabaseTransaction } from './database';
import { lineState } from './orphans';
import { attemptOf } from './rows';

export async function findAttempt(db: Database | DatabaseTransaction, id: string): Promise<AttemptRow | undefined> {
  return db.selectFrom('attempts').selectAll().where('id', '=', id).executeTakeFirst();
}

/** An attempt, and how its call stands. */
export type AttemptInCall = AttemptRow & { callStatus: CallStatus; callRound: number };

export async function findAttemptInCall(db: Database, id: string): Promise<AttemptInCall | undefined> {
  return attemptsInCalls(db).where('attempts.id', '=', id).executeTakeFirst();
}

export async function findAttemptByExternalCallId(
  db: Database,
  externalCallId: string,
): Promise<AttemptInCall | undefined> {
  return attemptsInCalls(db)
    .where('attempts.external_call_id', '=', externalCallId)
    .orderBy('queued_at', 'desc')
    .executeTakeFirst();
}

function attemptsInCalls(db: Database) {
  return db
    .selectFrom('attempts')
    .innerJoin('calls', 'calls.id', 'attempts.call_id')
    .selectAll('attempts')
    .select(['calls.status as callStatus', 'calls.round as callRound']);
}

/** @returns those of the attempts that wait or are in progress by the record */
export async function findOpenAttempts(db: Database, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows = await db
    .selectFrom('attempts')
    .select('id')
    .where('id', '=', anyOf(ids))
    .where('ended_at', 'is', null)
    .execute();
  return new Set(rows.map((row) => row.id));
}

/** @returns those of the attempts that began, or ended, a while ago */
export async function findAttemptsSince(
  db: Database,
  ids: readonly string[],
  options: { moment: 'started_at' | 'ended_at'; olderThanSeconds: number },
): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows = await db
    .selectFrom('attempts')
    .select('id')
    .where('id', '=', anyOf(ids))
    .where(options.moment, '<=', sql<Date>`now() - make_interval(secs => ${options.olderThanSeconds})`)
    .execute();
  return new Set(rows.map((row) => row.id));
}

/** A call's attempts that have begun, in order, over all rounds. */
export async function listAttempts(db: Database, callId: string): Promise<Attempt[]> {
  const rows = await db
    .selectFrom('attempts')
    .selectAll()
    .where('call_id', '=', callId)
    .where('started_at', 'is not', null)
    .orderBy('started_at')
    .execute();
  return rows.map(attemptOf);
}

/** The runs of the call's workflow that had an attempt. */
export async function listRunIds(db: Database, callId: string): Promise<string[]> {
  const rows = await db.selectFrom('attempts').select('run_id').distinct().where('call_id', '=', callId).execute();
  return rows.map((row) => row.run_id);
}

/** Joins the queue by the record: Redis is told after, and can be told again from here. Safe twice. */
export async function insertWaitingAttempt(
  trx: DatabaseTransaction,
  attempt: { id: string; callId: string; round: number; queueSeq: number; runId: string; runNumber: number },
): Promise<void> {
  await trx
    .insertInto('attempts')
    .values({
      id: attempt.id,
      call_id: attempt.callId,
      round: attempt.round,
      queue_seq: attempt.queueSeq,
      run_id: attempt.runId,
      run_number: attempt.runNumber,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

/**
 * Takes a call's waiting attempts off the record, but for the one that stays: nobody waits for them any more.
 *
 * @returns their ids
 */
export async function dropWaitingAttempts(
  trx: DatabaseTransaction,
  callId: string,
  except?: string,
): Promise<string[]> {
  let query = trx
    .updateTable('attempts')
    .set({ ended_at: sql`now()`, outcome: 'CANCELED' })
    .where('call_id', '=', callId)
    .where('started_at', 'is', null)
    .where('ended_at', 'is', null);
  if (except !== undefined) query = query.where('id', '!=', except);
  const rows = await query.returning('id').execute();
  return rows.map((row) => row.id);
}

/**
 * Ends an attempt, once. An attempt that never began leaves no trace but its row.
 *
 * @param line `lineSeen`: only while its line is as it was then, by `readLine` of store/orphans.ts; `externalCallId`: the
 *   provider's id of the call, where a report was faster than the answer that brings it
 * @returns the row as ended, or undefined where it had ended before, or its line has changed
 */
export async function endAttempt(
  trx: DatabaseTransaction,
  id: string,
  end: { outcome: AttemptOutcome; failureReason: string | null; durationSec: number | null },
  line: { lineSeen?: string | undefined; externalCallId?: string | undefined } = {},
): Promise<AttemptRow | undefined> {
  const { lineSeen, externalCallId } = line;
  let query = trx
    .updateTable('attempts')
    .set({
      ended_at: sql`now()`,
      outcome: end.outcome,
      failure_reason: end.failureReason,
      duration_sec: end.durationSec,
      ...(externalCallId !== undefined && {
        external_call_id: sql<string>`coalesce(external_call_id, ${externalCallId})`,
      }),
    })
    .where('id', '=', id)
    .where('ended_at', 'is', null);
  if (lineSeen !== undefined) query = query.where(lineState, '=', lineSeen);
  return query.returningAll().executeTakeFirst();
}

/** A slot as the record has it: whose attempt is in progress on it. */
export interface SlotHolder {
  slot: number;
  attemptId: string;
  callId: string;
}

/** An attempt waiting for a slot, as the record has it. */
export interface SlotWaiter {
  attemptId: string;
  callId: string;
  queueSeq: number;
}

export async function listSlotHolders(db: Database | DatabaseTransaction): Promise<SlotHolder[]> {
  return db
    .selectFrom('attempts')
    .select((eb) => [eb.ref('slot').$notNull().as('slot'), 'id as attemptId', 'call_id as callId'])
    .where('started_at', 'is not', null)
    .where('ended_at', 'is', null)
    .orderBy('slot')
    .execute();
}

export async function listSlotWaiters(db: Database | DatabaseTransaction): Promise<SlotWaiter[]> {
  return db
    .selectFrom('attempts')
    .select(['id as attemptId', 'call_id as callId', 'queue_seq as queueSeq'])
    .where('started_at', 'is', null)
    .where('ended_at', 'is', null)
    .orderBy('queue_seq')
    .execute();
}

/**
 * Those who are served next: the first in the queue by the record. Left out are those who joined it just now, of whom
 * Redis may not have heard yet, and those whose number another attempt has on the line: they ask again when it is off.
 */
export async function listNextWaiters(
  db: Database,
  options: { queuedForSeconds: number; limit: number },
): Promise<SlotWaiter[]> {
  return db
    .selectFrom('attempts')
    .innerJoin('calls', 'calls.id', 'attempts.call_id')
    .select(['attempts.id as attemptId', 'call_id as callId', 'attempts.queue_seq as queueSeq'])
    .where('attempts.started_at', 'is', null)
    .where('attempts.ended_at', 'is', null)
    .where('queued_at', '<=', sql<Date>`now() - make_interval(secs => ${options.queuedForSeconds})`)
    .where((eb) => {
      const onTheLine = eb
        .selectFrom('attempts as live')
        .select('live.id')
        .whereRef('live.to_number', '=', 'calls.to_number')
        .where('live.started_at', 'is not', null)
        .where('live.ended_at', 'is', null);
      return eb.not(eb.exists(onTheLine));
    })
    .orderBy('attempts.queue_seq')
    .limit(options.limit)
    .execute();
}

export async function findSlotHolder(db: Database, slot: number): Promise<SlotHolder | undefined> {
  return (await listSlotHolders(db)).find((holder) => holder.slot === slot);
}

/** How many slots are held and how many attempts wait for one, by the record. */
export async function countSlots(db: Database): Promise<{ held: number; waiting: number }> {
  return db
    .selectFrom('attempts')
    .select((eb) => [
      eb.fn.countAll<number>().filterWhere('started_at', 'is not', null).as('held'),
      eb.fn.countAll<number>().filterWhere('started_at', 'is', null).as('waiting'),
    ])
    .where('ended_at', 'is', null)
    .executeTakeFirstOrThrow();
}
