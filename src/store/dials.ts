import { sql } from 'kysely';

import type { CallPayload, CallStatus, FinalStatus } from '../call/call';
import { isFinal } from '../call/transitions';
import type { PlaceCallResult } from '../call/workflow-messages';
import { updateCall } from './calls';
import { violatedUnique, type Database } from './database';
import { matchReports } from './provider-reports';
import { attemptOf } from './rows';

interface ClaimInput {
  callId: string;
  round: number;
  attemptId: string;
  slot: number;
}

export type Claim =
  | { kind: 'CLAIMED'; slot: number; number: number }
  /** PostgreSQL has the slot on another attempt in progress. */
  | { kind: 'SLOT_TAKEN' }
  /** Another attempt to the number is in progress. */
  | { kind: 'NUMBER_BUSY' }
  | { kind: 'OVER'; status: PlaceCallResult };

/**
 * Begins the attempt on its slot: the attempt's row takes slot and number, the call is IN_PROGRESS. The unique indexes
 * over attempts in progress are the fence; whoever meets them begins nothing and uses up no attempt. Claimed before, by
 * this same attempt, it stays claimed.
 */
export async function claimSlot(db: Database, input: ClaimInput): Promise<Claim> {
  try {
    return await tryClaim(db, input);
  } catch (error) {
    const fence = violatedUnique(error);
    if (fence === 'attempts_slot') return { kind: 'SLOT_TAKEN' };
    if (fence === 'attempts_number') return { kind: 'NUMBER_BUSY' };
    throw error;
  }
}

function tryClaim(db: Database, { callId, round, attemptId, slot }: ClaimInput): Promise<Claim> {
  return db.transaction().execute(async (trx) => {
    const call = await trx.selectFrom('calls').selectAll().where('id', '=', callId).forUpdate().executeTakeFirst();
    if (call?.round !== round) return { kind: 'OVER', status: 'SUPERSEDED' };
    const attempt = await trx
      .selectFrom('attempts')
      .select(['slot', 'number', 'started_at', 'ended_at'])
      .where('id', '=', attemptId)
      .executeTakeFirstOrThrow();
    if (attempt.started_at !== null && attempt.slot !== null && attempt.number !== null) {
      return { kind: 'CLAIMED', slot: attempt.slot, number: attempt.number };
    }
    // An attempt of a run that was reset is still on the line: the reconciler hangs it up.
    if (call.status === 'IN_PROGRESS') return { kind: 'NUMBER_BUSY' };
    if (isFinal(call.status)) return { kind: 'OVER', status: call.status as FinalStatus };
    // Taken off the queue behind this run's back: another run of the call has the say.
    if (attempt.ended_at !== null) return { kind: 'OVER', status: 'SUPERSEDED' };

    const number = call.attempts + 1;
    const begun = await trx
      .updateTable('attempts')
      .set({ slot, number, to_number: call.to_number, started_at: sql`now()` })
      .where('id', '=', attemptId)
      .returningAll()
      .executeTakeFirstOrThrow();
    await updateCall(trx, callId, {
      from: ['PENDING'],
      round,
      to: 'IN_PROGRESS',
      set: {
        attempts: number,
        started_at: sql`coalesce(started_at, now())`,
        next_attempt_at: null,
        external_call_id: null,
      },
      events: [{ type: 'attempt.started', attempt: attemptOf(begun) }],
    });
    return { kind: 'CLAIMED', slot, number };
  });
}

/** What dialling needs to know of an attempt that has begun. */
export interface DialRow {
  payload: CallPayload;
  callStatus: CallStatus;
  number: number | null;
  slot: number | null;
  externalCallId: string | null;
  inDoubt: boolean;
  ended: boolean;
  /** Since the attempt began, by PostgreSQL's clock. */
  elapsedSeconds: number;
}

export async function readDial(db: Database, attemptId: string): Promise<DialRow> {
  const row = await db
    .selectFrom('attempts')
    .innerJoin('calls', 'calls.id', 'attempts.call_id')
    .select((eb) => [
      'attempts.to_number as attemptNumber',
      'calls.to_number as to',
      'calls.script_id as scriptId',
      'calls.metadata',
      'calls.status as callStatus',
      'attempts.number',
      'attempts.slot',
      'attempts.external_call_id as externalCallId',
      'attempts.in_doubt as inDoubt',
      'attempts.ended_at as endedAt',
      eb
        .cast<number>(sql`extract(epoch from clock_timestamp() - attempts.started_at)`, 'double precision')
        .as('elapsedSeconds'),
    ])
    .where('attempts.id', '=', attemptId)
    .executeTakeFirstOrThrow();
  const { to, attemptNumber, scriptId, metadata, endedAt, ...rest } = row;
  return { ...rest, payload: { to: attemptNumber ?? to, scriptId, metadata }, ended: endedAt !== null };
}

export async function setInDoubt(db: Database, attemptId: string, inDoubt: boolean): Promise<void> {
  await db.updateTable('attempts').set({ in_doubt: inDoubt }).where('id', '=', attemptId).execute();
}

/**
 * The provider has the call under this id. Reports that came first, by the id alone, become the attempt's.
 *
 * @returns whether any did
 */
export function recordOnTheLine(
  db: Database,
  ids: { callId: string; attemptId: string },
  externalCallId: string,
): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    await trx
      .updateTable('calls')
      .set({ external_call_id: externalCallId, updated_at: sql`now()` })
      .where('id', '=', ids.callId)
      .where('status', 'in', ['IN_PROGRESS', 'CANCELED'])
      .execute();
    await trx
      .updateTable('attempts')
      .set({ external_call_id: externalCallId, in_doubt: false })
      .where('id', '=', ids.attemptId)
      .execute();
    return matchReports(trx, ids.attemptId, externalCallId);
  });
}
