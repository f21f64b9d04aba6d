import { sql, type QueryCreator } from 'kysely';

import type { Attempt, AttemptOutcome, CallStatus } from '../call/call';
import { activeStatuses } from '../call/transitions';
import { anyOf } from './any-of';
import { builtOnce, type Blanks, type Given } from './built-once';
import { changeCall, lockCallIn } from './calls';
import type { AttemptRow, CallRow, Database, DatabaseTransaction, Schema } from './database';
import { lineState } from './orphans';
import { attemptOf } from './rows';

export async function findAttempt(db: Database | DatabaseTransaction, id: string): Promise<AttemptRow | undefined> {
  return db.selectFrom('attempts').selectAll().where('id', '=', id).executeTakeFirst();
}

/** An attempt, and how its call stands. */
export type AttemptInCall = AttemptRow & { callStatus: CallStatus; callRound: number };

export async function findAttemptInCall(db: Database, id: string): Promise<AttemptInCall | undefined> {
  const [attempt] = await inCallById(db, { id });
  return attempt;
}

const inCallById = builtOnce((db, { id }: Blanks<{ id: string }>) => attemptsInCalls(db).where('attempts.id', '=', id));

export async function findAttemptByExternalCallId(
  db: Database,
  externalCallId: string,
): Promise<AttemptInCall | undefined> {
  const [latest] = await inCallByExternalCallId(db, { externalCallId });
  return latest;
}

const inCallByExternalCallId = builtOnce((db, { externalCallId }: Blanks<{ externalCallId: string }>) =>
  attemptsInCalls(db).where('attempts.external_call_id', '=', externalCallId).orderBy('queued_at', 'desc'),
);

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

/** Of one attempt, or one call: said so that no plan looks for it among all who wait. */
export const isWaiting = sql<boolean>`coalesce(attempts.started_at, attempts.ended_at) is null`;

/** A call whose attempt has joined the queue. */
export interface Joined {
  call: CallRow;
  /** Attempts of the call that waited before and do no more: left by a run that was reset, or that died too early. */
  dropped: string[];
}

/**
 * Joins the queue by the record: Redis is told after, and can be told again from here. The workflow runs by this: whoever
 * is about to start it need not. Safe twice.
 *
 * @returns undefined where the call is over, or in another round
 */
export async function joinQueue(db: Database, attempt: AttemptToJoin): Promise<Joined | undefined> {
  const [row] = await joining(db, attempt);
  if (row === undefined) return undefined;
  const { dropped, ...call } = row;
  return { call, dropped };
}

interface AttemptToJoin {
  attemptId: string;
  callId: string;
  round: number;
  runId: string;
  runNumber: number;
}

const joining = builtOnce((db, { attemptId, callId, round, runId, runNumber }: Blanks<AttemptToJoin>) =>
  db
    .with('call', (cte) => lockCallIn(cte, callId, { round, status: activeStatuses }))
    .with('started', (cte) =>
      changeCall(cte, callId, {
        from: activeStatuses,
        set: {
          handoff: sql`nullif(handoff, 'START')`,
          handoff_at: sql`case when handoff <> 'START' then handoff_at end`,
          next_attempt_at: null,
        },
        when: () => sql<boolean>`exists (select from call) and (handoff = 'START' or next_attempt_at is not null)`,
        events: [],
      }),
    )
    .with('dropped', (cte) =>
      dropWaiting(cte, callId)
        .where('id', '!=', attemptId)
        .where(sql<boolean>`exists (select from call)`)
        .returning('id'),
    )
    .with('joined', (cte) =>
      cte
        .insertInto('attempts')
        .columns(['id', 'call_id', 'round', 'queue_seq', 'run_id', 'run_number'])
        .expression(sql`select ${attemptId}::uuid, id, round, queue_seq, ${runId}, ${runNumber}::integer from call`)
        .onConflict((conflict) => conflict.column('id').doNothing()),
    )
    .selectFrom('call')
    .selectAll()
    .select(sql<string[]>`array(select id from dropped)`.as('dropped')),
);

/**
 * Takes a call's waiting attempts off the record: nobody waits for them any more.
 *
 * @returns their ids
 */
export async function dropWaitingAttempts(trx: DatabaseTransaction, callId: string): Promise<string[]> {
  const rows = await dropWaiting(trx, callId).returning('id').execute();
  return rows.map((row) => row.id);
}

function dropWaiting(db: QueryCreator<Schema>, callId: Given<string>) {
  return db
    .updateTable('attempts')
    .set({ ended_at: sql`now()`, outcome: 'CANCELED' })
    .where('call_id', '=', callId)
    .where(isWaiting);
}

/**
 * Ends an attempt, once. An attempt that never began leaves no trace but its row.
 *
 * @param lineSeen only while its line is as it was then, by `readLine` of store/orphans.ts
 * @returns the row as ended, or undefined where it had ended before, or its line has changed
 */
export async function endAttempt(
  trx: DatabaseTransaction,
  id: string,
  end: { outcome: AttemptOutcome; failureReason: string | null; durationSec: number | null },
  lineSeen?: string,
): Promise<AttemptRow | undefined> {
  let query = trx
    .updateTable('attempts')
    .set({
      ended_at: sql`now()`,
      outcome: end.outcome,
      failure_reason: end.failureReason,
      duration_sec: end.durationSec,
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
