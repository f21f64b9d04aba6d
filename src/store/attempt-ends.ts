import { sql, type UpdateObject } from 'kysely';

import type { Finish } from '../call/attempt-end';
import { callStatuses, type CallStatus } from '../call/call';
import { finalEventTypes } from '../call/event';
import { activeStatuses } from '../call/transitions';
import { endAttempt } from './attempts';
import { builtOnce, type Blanks } from './built-once';
import type { NewEvent } from './call-events';
import { callUpdate, lockCall, lockCallIn, updateCall } from './calls';
import type { AttemptRow, Database, DatabaseTransaction, Schema } from './database';
import { storeReportIn, type ProviderReport } from './provider-reports';
import { attemptInJson, attemptOf } from './rows';

/** Told in the timeline of a call whose workflow had not heard of its report. */
export const lateReport = 'provider report delivered late';

/**
 * Ends an attempt and moves its call on, by the verdict, once, in one transaction.
 *
 * @returns the attempt, where it ended by this
 */
export async function recordEnd(trx: DatabaseTransaction, finish: Finish): Promise<AttemptRow | undefined> {
  const { callId, attemptId, verdict, end, mend } = finish;
  const call = await lockCall(trx, callId);
  const ended = await endAttempt(trx, attemptId, end, mend?.lineSeen);
  if (mend !== undefined && ended === undefined) return undefined;

  const reason = mend?.reason ?? (end.late ? lateReport : undefined);
  // A call that was withdrawn before its line could be hung up was told why then.
  const told = call?.status === 'CANCELED' && call.last_error === reason;
  // An attempt that never began is no event: nothing was on the line.
  const attemptEvents: NewEvent[] =
    ended?.started_at == null
      ? []
      : [
          ...(reason === undefined || told ? [] : [{ type: 'call.updated', reason } as const]),
          { type: 'attempt.ended', attempt: attemptOf(ended) },
        ];

  const { status, set } = await verdictOnCall(trx, finish);
  const eventType = status === 'PENDING' ? undefined : finalEventTypes[status];
  const changed = await updateCall(trx, callId, {
    // Only the run whose attempt is in progress may decide; a cancel may also come between two attempts.
    from: verdict === 'CANCELED' ? activeStatuses : ['IN_PROGRESS'],
    round: finish.round,
    to: status,
    set: { ...set, ...(ended?.external_call_id != null && { external_call_id: ended.external_call_id }) },
    ...(verdict !== 'CANCELED' && { when: () => sql<boolean>`${ended !== undefined}` }),
    events: [...attemptEvents, ...(eventType === undefined ? [] : [{ type: eventType }])],
  });
  if (changed === undefined && attemptEvents.length > 0) {
    // The call was canceled, or started again, while this attempt was on the line: its end is told all the same.
    await updateCall(trx, callId, { from: callStatuses, set: {}, events: attemptEvents });
  }
  return ended;
}

/**
 * Stores the report of a call that went well, as `storeReport` does, and by it ends the attempt on the line and its call.
 * Not where the call was withdrawn or is in another round by now, or where the attempt has another report: its workflow
 * knows what to make of them.
 *
 * @returns the attempt, where it ended by this; the report is stored in any case
 */
export async function recordCompleted(
  db: Database,
  attempt: AttemptRow,
  report: ProviderReport,
): Promise<AttemptRow | undefined> {
  const { id: attemptId, call_id: callId, round } = attempt;
  const [call] = await completing(db, { attemptId, callId, round, ...report });
  return call && { ...attempt, outcome: 'COMPLETED', external_call_id: call.external_call_id, ended_at: call.ended_at };
}

interface Completion extends ProviderReport {
  attemptId: string;
  callId: string;
  round: number;
}

const completing = builtOnce((db, completion: Blanks<Completion>) => {
  const { attemptId, callId, round } = completion;
  const ending = db
    .with('call', (cte) => lockCallIn(cte, callId, { round, status: ['IN_PROGRESS'] }))
    // After the call is locked, as whoever gives an attempt its reports has it.
    .with('stored', (cte) => storeReportIn(cte, completion, attemptId, sql`call`))
    .with('ended', (cte) =>
      cte
        .updateTable('attempts')
        .from(['call', 'stored'])
        .set({
          outcome: 'COMPLETED',
          failure_reason: sql`stored.failure_reason`,
          duration_sec: sql`stored.duration_sec`,
          ended_at: sql`now()`,
          // The report may be faster than the answer to the dial, which brings the id.
          external_call_id: sql`coalesce(attempts.external_call_id, stored.external_call_id)`,
        })
        .where('attempts.id', '=', attemptId)
        .where('attempts.ended_at', 'is', null)
        // Not another attempt's.
        .whereRef('stored.attempt_id', '=', 'attempts.id')
        .where(
          sql<boolean>`not exists (select from provider_reports as other
                                    where other.attempt_id = ${attemptId} and other.id <> stored.id)`,
        )
        .returningAll('attempts'),
    );
  return callUpdate(ending, callId, {
    from: ['IN_PROGRESS'],
    round,
    to: 'COMPLETED',
    set: { ended_at: sql`now()`, last_error: null, external_call_id: sql`(select external_call_id from ended)` },
    when: () => sql<boolean>`exists (select from ended)`,
    events: [
      { type: 'attempt.ended', attempt: sql`(select ${attemptInJson('ended')} from ended)` },
      { type: finalEventTypes.COMPLETED },
    ],
  });
});

type EndedStatus = Exclude<CallStatus, 'IN_PROGRESS'>;

async function verdictOnCall(
  trx: DatabaseTransaction,
  { end, verdict, retryInSeconds, callId, mend }: Finish,
): Promise<{ status: EndedStatus; set: UpdateObject<Schema, 'calls'> }> {
  const lastError = end.failureReason === null ? end.outcome : `${end.outcome}: ${end.failureReason}`;
  switch (verdict) {
    case 'COMPLETED':
      return { status: 'COMPLETED', set: { ended_at: sql`now()`, last_error: null } };
    case 'FAILED':
      return { status: 'FAILED', set: { ended_at: sql`now()`, last_error: lastError } };
    case 'CANCELED':
      return {
        status: 'CANCELED',
        set: { ended_at: sql`now()`, next_attempt_at: null, ...(mend && { last_error: mend.reason }) },
      };
    case 'RETRY':
      break;
  }
  const call = await trx
    .selectFrom('calls')
    .select(sql<boolean>`expires_at <= now()`.as('expired'))
    .where('id', '=', callId)
    .executeTakeFirst();
  if (call?.expired) return { status: 'EXPIRED', set: { ended_at: sql`now()`, last_error: lastError } };
  const nextAttemptAt = sql<Date>`now() + make_interval(secs => ${retryInSeconds})`;
  return { status: 'PENDING', set: { next_attempt_at: nextAttemptAt, last_error: lastError } };
}
