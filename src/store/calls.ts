import {
  sql,
  type QueryCreator,
  type ExpressionBuilder,
  type SqlBool,
  type UpdateObject,
  type Expression,
} from 'kysely';

import { callStatuses, type CallStatus } from '../call/call';
import { activeStatuses, mayMove } from '../call/transitions';
import { anyOf } from './any-of';
import type { Given } from './built-once';
import { tell, wasTold, type NewEvent } from './call-events';
import type { CallRow, Database, DatabaseTransaction, Schema } from './database';

export async function findCall(db: Database | DatabaseTransaction, id: string): Promise<CallRow | undefined> {
  return db.selectFrom('calls').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findActiveCall(db: Database, to: string): Promise<CallRow | undefined> {
  return (await findActiveCalls(db, [to])).get(to);
}

/** @returns by number the calls that occupy one of these */
export async function findActiveCalls(db: Database, numbers: readonly string[]): Promise<Map<string, CallRow>> {
  if (numbers.length === 0) return new Map();
  const rows = await db
    .selectFrom('calls')
    .selectAll()
    .where('to_number', '=', anyOf(numbers, 'text'))
    .where('status', 'in', activeStatuses)
    .execute();
  return new Map(rows.map((row) => [row.to_number, row]));
}

/** The expiry of a call that starts again: the one it has, or a new one where that has passed. */
export function freshUnlessAhead(seconds: number) {
  const fresh = sql<Date>`now() + make_interval(secs => ${seconds})`;
  return sql<Date>`case when expires_at <= now() then ${fresh} else expires_at end`;
}

export interface CallUpdate {
  /** The statuses from which the change is legal; in any other it changes nothing. */
  from: readonly CallStatus[];
  /** Fences out runs of an earlier round. */
  round?: Given<number>;
  /** The status it moves to, where it moves: legal from each of `from`. */
  to?: CallStatus;
  set: Omit<UpdateObject<Schema, 'calls'>, 'status'>;
  /** A further condition on the row. */
  when?: (eb: ExpressionBuilder<Schema, 'calls'>) => Expression<SqlBool>;
  /** What happened, told in the order given, in the same transaction. */
  events: readonly NewEvent[];
}

/**
 * The one way a call's row changes: guarded by its status, together with its events, in one statement.
 *
 * @returns the row as changed, or undefined where the guard held it back
 * @throws Error for a move that call/transitions.ts does not have: a defect of the caller
 */
export async function updateCall(
  db: QueryCreator<Schema>,
  id: string,
  update: CallUpdate,
): Promise<CallRow | undefined> {
  if (update.events.length === 0) return changeCall(db, id, update).executeTakeFirst();
  return callUpdate(db, id, update).executeTakeFirst();
}

/** The statement itself. @param db or a statement begun by what must happen with it */
export function callUpdate(db: QueryCreator<Schema>, id: Given<string>, update: CallUpdate) {
  return db
    .with('changed', (cte) => changeCall(cte, id, update))
    .with('told', (cte) => tell(cte, update.events))
    .selectFrom('changed')
    .selectAll();
}

/** The same as a part of a statement, which tells of it by itself. */
export function changeCall(
  db: QueryCreator<Schema>,
  id: Given<string>,
  { from, round, to, set, when, events }: CallUpdate,
) {
  if (to !== undefined && !from.every((status) => mayMove(status, to))) {
    throw new Error(`no call may become ${to} from ${from.join(' or ')}`);
  }
  let query = db
    .updateTable('calls')
    .set({
      ...set,
      ...(to !== undefined && { status: to }),
      updated_at: sql`now()`,
      event_sequence: sql`event_sequence + ${events.length}`,
    })
    .where('id', '=', id)
    .where(isAmong(from));
  // Nobody could be called: neither a retry nor an operator's reset starts it again.
  if (to !== undefined) query = query.where('forgotten_at', 'is', null);
  if (round !== undefined) query = query.where('round', '=', round);
  if (when !== undefined) query = query.where(when);
  return query.returningAll();
}

/** Locks the call's row: before any of its attempts' rows, everywhere, so that nobody waits for others in a ring. */
export async function lockCall(trx: DatabaseTransaction, id: string): Promise<CallRow | undefined> {
  return trx.selectFrom('calls').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
}

/** The same as a statement's first part, where the call is as it must be for the rest of it. */
export function lockCallIn(
  cte: QueryCreator<Schema>,
  id: Given<string>,
  { round, status }: { round: Given<number>; status: readonly CallStatus[] },
) {
  return cte
    .selectFrom('calls')
    .selectAll()
    .where('id', '=', id)
    .where('round', '=', round)
    .where(isAmong(status))
    .where('forgotten_at', 'is', null)
    .forUpdate();
}

/** Of one call: `is true` keeps a plan that was made for an almost empty table from finding it by its status. */
export function isAmong(statuses: readonly CallStatus[]) {
  return sql<boolean>`(status in (${sql.join(statuses)})) is true`;
}

/** Tells something of a call that changes nothing else of it, once for that source. @returns whether it was told now */
export async function tellOnce(db: Database, id: string, source: string, reason: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    await lockCall(trx, id);
    if (await wasTold(trx, source)) return false;
    const events = [{ type: 'call.updated', reason, source }] as const;
    return (await updateCall(trx, id, { from: callStatuses, set: {}, events })) !== undefined;
  });
}

/** How many calls there are in each status; a status without calls counts 0. */
export async function countCalls(db: Database): Promise<Record<CallStatus, number>> {
  const counts: Record<CallStatus, number> = {
    PENDING: 0,
    IN_PROGRESS: 0,
    COMPLETED: 0,
    FAILED: 0,
    EXPIRED: 0,
    CANCELED: 0,
  };
  const rows = await db
    .selectFrom('calls')
    .select((eb) => ['status', eb.fn.countAll<number>().as('count')])
    .groupBy('status')
    .execute();
  for (const row of rows) counts[row.status] = row.count;
  return counts;
}
