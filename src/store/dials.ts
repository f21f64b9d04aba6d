import { sql } from 'kysely';

import type { CallPayload, CallStatus } from '../call/call';
import { isFinal } from '../call/transitions';
import { overStatus, type PlaceCallResult } from '../call/workflow-messages';
import { isWaiting } from './attempts';
import { builtOnce, type Blanks } from './built-once';
import { callUpdate, isAmong, lockCall, lockCallIn } from './calls';
import type { NewEvent } from './call-events';
import { isPaused } from './control';
import type { CallRow, Database, DatabaseTransaction } from './database';
import { violatedUnique } from './database-errors';
import { findReport, matchReports } from './provider-reports';
import { attemptInJson } from './rows';

interface ClaimInput {
  callId: string;
  round: number;
  attemptId: string;
  slot: number;
  /** The grant had to be told again: told in the call's timeline. */
  late?: boolean;
}

export type Claim =
  /** `begun`: by this claim, and not by one before, with the doubt noted. */
  | { kind: 'CLAIMED'; slot: number; number: number; begun?: DialRow }
  /** PostgreSQL has the slot on another attempt in progress. */
  | { kind: 'SLOT_TAKEN' }
  /** Somebody has paused dialling: nothing begins. */
  | { kind: 'PAUSED' }
  /** Another attempt to the number is in progress. */
  | { kind: 'NUMBER_BUSY' }
  | { kind: 'OVER'; status: PlaceCallResult };

/**
 * Begins the attempt on its slot: the attempt's row takes slot and number, the call is IN_PROGRESS, and the provider is
 * about to be asked to place it, as `noteDoubt` notes it of each try after the first. The unique indexes
 * over attempts in progress are the fence; whoever meets them begins nothing and uses up no attempt. Claimed before, by
 * this same attempt, it stays claimed, until the attempt has ended. While dialling is paused nothing begins.
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

async function tryClaim(db: Database, input: ClaimInput): Promise<Claim> {
  const [call] = await (input.late ? claimingLate : claiming)(db, input);
  if (call === undefined) return db.transaction().execute((trx) => whyNotBegun(trx, input));
  return { kind: 'CLAIMED', slot: input.slot, number: call.attempts, begun: justBegun(call, input.slot) };
}

const claiming = builtOnce((db, input: Blanks<ClaimInput>) => claim(db, input, []));
const claimingLate = builtOnce((db, input: Blanks<ClaimInput>) =>
  claim(db, input, [{ type: 'call.updated', reason: grantedLate }]),
);

function claim(db: Database, { callId, round, attemptId, slot }: Blanks<ClaimInput>, told: readonly NewEvent[]) {
  const begin = db
    .with('call', (cte) => lockCallIn(cte, callId, { round, status: ['PENDING'] }))
    .with('begun', (cte) =>
      cte
        .updateTable('attempts')
        .from('call')
        .set({
          slot,
          number: sql`call.attempts + 1`,
          to_number: sql`call.to_number`,
          started_at: sql`now()`,
          in_doubt: true,
          asked_at: sql`now()`,
        })
        .where('attempts.id', '=', attemptId)
        .where(isWaiting)
        .where(sql<boolean>`not ${isPaused}`)
        .returningAll('attempts'),
    );
  return callUpdate(begin, callId, {
    from: ['PENDING'],
    round,
    to: 'IN_PROGRESS',
    set: {
      attempts: sql`attempts + 1`,
      started_at: sql`coalesce(started_at, now())`,
      next_attempt_at: null,
      external_call_id: null,
    },
    when: () => sql<boolean>`exists (select from begun)`,
    events: [...told, { type: 'attempt.started', attempt: sql`(select ${attemptInJson('begun')} from begun)` }],
  });
}

async function whyNotBegun(trx: DatabaseTransaction, { callId, round, attemptId }: ClaimInput): Promise<Claim> {
  const call = await lockCall(trx, callId);
  if (call?.round !== round) return { kind: 'OVER', status: overStatus(call, round) };
  const attempt = await trx
    .selectFrom('attempts')
    .select(['slot', 'number', 'started_at', 'ended_at'])
    .where('id', '=', attemptId)
    .executeTakeFirstOrThrow();
  // Ended behind this run's back, on the line or in the queue: another run of the call has the say, or none.
  if (attempt.ended_at !== null) return { kind: 'OVER', status: overStatus(call, call.round) };
  if (attempt.started_at !== null && attempt.slot !== null && attempt.number !== null) {
    return { kind: 'CLAIMED', slot: attempt.slot, number: attempt.number };
  }
  // An attempt of a run that was reset is still on the line: the reconciler hangs it up.
  if (call.status === 'IN_PROGRESS') return { kind: 'NUMBER_BUSY' };
  return isFinal(call.status) ? { kind: 'OVER', status: overStatus(call, call.round) } : { kind: 'PAUSED' };
}

const grantedLate = 'slot granted late: its workflow had not heard of it';

/** What dialling needs to know of an attempt that has begun. */
export interface DialRow {
  payload: CallPayload;
  callStatus: CallStatus;
  number: number | null;
  slot: number | null;
  externalCallId: string | null;
  inDoubt: boolean;
  ended: boolean;
  /** Since the attempt began, or since dialling was last resumed, by PostgreSQL's clock. */
  elapsedSeconds: number;
}

function justBegun({ to_number, script_id, metadata, attempts }: CallRow, slot: number): DialRow {
  return {
    payload: { to: to_number, scriptId: script_id, metadata },
    callStatus: 'IN_PROGRESS',
    number: attempts,
    slot,
    externalCallId: null,
    inDoubt: true,
    ended: false,
    elapsedSeconds: 0,
  };
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
        .cast<number>(
          sql`extract(epoch from clock_timestamp()
                - greatest(attempts.started_at, (select resumed_at from control)))`,
          'double precision',
        )
        .as('elapsedSeconds'),
    ])
    .where('attempts.id', '=', attemptId)
    .executeTakeFirstOrThrow();
  const { to, attemptNumber, scriptId, metadata, endedAt, ...rest } = row;
  return { ...rest, payload: { to: attemptNumber ?? to, scriptId, metadata }, ended: endedAt !== null };
}

/** A try at dialling, noted before its request leaves. */
export interface Doubt {
  /** Whether an earlier try may have placed the call. */
  before: boolean;
  /** Names this try: a later one has another. */
  askedAt: string | typeof asClaimed;
}

const asClaimed = Symbol('as claimed');

/** The first try, which the claim has noted. */
export const doubtOfClaim: Doubt = { before: false, askedAt: asClaimed };

/** The first try did not come about after all: its request did not leave. */
export async function takeBackDoubtOfClaim(db: Database, attemptId: string): Promise<void> {
  await db
    .updateTable('attempts')
    .set({ in_doubt: false, asked_at: null })
    .where('id', '=', attemptId)
    .where('ended_at', 'is', null)
    .where(sql<boolean>`asked_at = started_at`)
    .execute();
}

/**
 * The provider is about to be asked to place the call: from now on it may be on the line. Excludes the attempt's end, so
 * that whoever ends an attempt whose line is known to be down knows that it stays down; and a pause, so that no request
 * leaves after it.
 *
 * @returns ENDED, or PAUSED, where it may not be dialled any more, or not now
 */
export async function noteDoubt(db: Database, attemptId: string): Promise<Doubt | 'ENDED' | 'PAUSED'> {
  const { rows } = await sql<{ before: boolean; ended: boolean; askedAt: string | null }>`
    with before as (select id, in_doubt, ended_at from attempts where id = ${attemptId} for update),
         noted as (
           update attempts set in_doubt = true, asked_at = clock_timestamp()
             from before
            where attempts.id = before.id and attempts.ended_at is null and not ${isPaused}
           returning attempts.id, asked_at::text)
    select before.in_doubt as before, before.ended_at is not null as ended, noted.asked_at as "askedAt"
      from before left join noted on noted.id = before.id`.execute(db);
  const [row] = rows;
  if (row === undefined || row.ended) return 'ENDED';
  return row.askedAt === null ? 'PAUSED' : { before: row.before, askedAt: row.askedAt };
}

/**
 * The provider said that it did not place the call, and no earlier try may have.
 *
 * @returns false where the doubt stays, for another try has been made since
 */
export async function clearDoubt(db: Database, attemptId: string, doubt: Doubt): Promise<boolean> {
  const cleared = await db
    .updateTable('attempts')
    .set({ in_doubt: false })
    .where('id', '=', attemptId)
    .where(
      doubt.askedAt === asClaimed
        ? sql<boolean>`asked_at = started_at`
        : sql<boolean>`asked_at::text = ${doubt.askedAt}`,
    )
    .returning('id')
    .executeTakeFirst();
  return cleared !== undefined;
}

export type Placed =
  | { kind: 'ON_THE_LINE'; reportsWaiting: boolean }
  /** The attempt had ended by then: the line is nobody's, and must be hung up. */
  | { kind: 'ASTRAY' };

/**
 * The provider has the call under this id. Reports that came first, by the id alone, become the attempt's. One that came
 * says that the line is down, whoever ended the attempt.
 */
export async function recordOnTheLine(
  db: Database,
  ids: { callId: string; attemptId: string },
  externalCallId: string,
): Promise<Placed> {
  const [placed] = await placing(db, { ...ids, externalCallId });
  if (placed === undefined) throw new Error(`no attempt ${ids.attemptId}`);
  if (placed.ended) {
    if ((await findReport(db, ids.attemptId)) === undefined) return { kind: 'ASTRAY' };
    await db.updateTable('attempts').set({ in_doubt: false }).where('id', '=', ids.attemptId).execute();
  }
  return { kind: 'ON_THE_LINE', reportsWaiting: placed.reportsWaiting };
}

interface Placing {
  callId: string;
  attemptId: string;
  externalCallId: string;
}

const placing = builtOnce((db, { callId, attemptId, externalCallId }: Blanks<Placing>) =>
  db
    // Before its attempt, as `lockCall` has it.
    .with('call', (cte) => cte.selectFrom('calls').select('id').where('id', '=', callId).forUpdate())
    .with('placed', (cte) =>
      cte
        .updateTable('attempts')
        .from('call')
        .set({ external_call_id: externalCallId, in_doubt: sql`ended_at is not null` })
        .where('attempts.id', '=', attemptId)
        .returning(sql<boolean>`ended_at is not null`.as('ended')),
    )
    .with('matched', (cte) => matchReports(cte, attemptId, externalCallId))
    .with('shown', (cte) =>
      cte
        .updateTable('calls')
        .set({ external_call_id: externalCallId, updated_at: sql`now()` })
        .where('id', '=', callId)
        .where(isAmong(['IN_PROGRESS', 'CANCELED']))
        .where(sql<boolean>`exists (select from placed where not ended)`),
    )
    .selectFrom('placed')
    .select(['ended', sql<boolean>`exists (select from matched)`.as('reportsWaiting')]),
);
