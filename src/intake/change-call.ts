import { sql } from 'kysely';

import { CallError } from '../call/errors';
import type { CallChange } from '../call/request';
import { activeStatuses, retryableStatuses } from '../call/transitions';
import type { Config } from '../config';
import { findActiveCall, findCall, freshUnlessAhead, updateCall, type CallUpdate } from '../store/calls';
import type { CallRow, Database } from '../store/database';
import { isDeadlock, violatedUnique } from '../store/database-errors';
import { placeInQueue } from '../store/queue-place';

/** A PENDING call's workflow that was not started yet reads the row when it is: it need not be told. */
const editedUnlessStarting = sql<'START' | 'EDITED'>`case when handoff = 'START' then 'START' else 'EDITED' end`;

/**
 * Changes a PENDING call.
 *
 * @throws CallError CALL_NOT_FOUND, CALL_NOT_PENDING, or NUMBER_BUSY for a new number that has an active call
 */
export async function editCall(db: Database, id: string, change: CallChange): Promise<CallRow> {
  const { to, scriptId, metadata, expiresAt, webhookUrl } = change;
  return changeCall(db, id, 'CALL_NOT_PENDING', to, {
    from: ['PENDING'],
    set: {
      ...(to !== undefined && { to_number: to }),
      ...(scriptId !== undefined && { script_id: scriptId }),
      ...(metadata !== undefined && { metadata: JSON.stringify(metadata) }),
      ...(expiresAt !== undefined && { expires_at: expiresAt }),
      ...(webhookUrl !== undefined && { webhook_url: webhookUrl, webhook_gone_at: null }),
      handoff: editedUnlessStarting,
      handoff_at: sql`now()`,
    },
    events: [{ type: 'call.updated', reason: 'edited' }],
  });
}

/**
 * Withdraws a call that has not ended. Its status is final at once; a live line is hung up by the workflow, which keeps
 * the slot until then.
 *
 * @throws CallError CALL_NOT_FOUND, CALL_ALREADY_ENDED
 */
export async function cancelCall(db: Database, id: string): Promise<CallRow> {
  return changeCall(db, id, 'CALL_ALREADY_ENDED', undefined, {
    from: activeStatuses,
    to: 'CANCELED',
    set: {
      ended_at: sql`now()`,
      next_attempt_at: null,
      handoff: 'CANCEL',
      handoff_at: sql`now()`,
    },
    events: [{ type: 'call.canceled' }],
  });
}

/**
 * What becomes of a call whose workflow an operator ended by Temporal's own means: CANCELED, as by `cancelCall`, and there
 * is no workflow left to tell.
 */
export function withdrawal(reason: string): Pick<CallUpdate, 'set' | 'events'> & { to: 'CANCELED' } {
  return {
    to: 'CANCELED',
    set: { ended_at: sql`now()`, next_attempt_at: null, last_error: reason },
    events: [{ type: 'call.updated', reason }, { type: 'call.canceled' }],
  };
}

/**
 * Withdraws a call so, whatever it was about. A live line is hung up by whoever calls this.
 *
 * @returns whether the call was active until now
 */
export async function withdrawCall(
  db: Database,
  { callId, round }: { callId: string; round: number },
  reason: string,
): Promise<boolean> {
  const withdrawn = await updateCall(db, callId, { from: activeStatuses, round, ...withdrawal(reason) });
  return withdrawn !== undefined;
}

/**
 * Starts an ended call again, with fresh attempts, behind those of its priority that wait.
 *
 * @throws CallError CALL_NOT_FOUND, CALL_NOT_RETRYABLE, CALL_FORGOTTEN, or NUMBER_BUSY where its number has another active call
 */
export async function retryCall(
  db: Database,
  id: string,
  policy: Pick<Config, 'MAX_ATTEMPTS' | 'DEFAULT_EXPIRY_SECONDS'>,
): Promise<CallRow> {
  const number = (await findCall(db, id))?.to_number;
  return changeCall(db, id, 'CALL_NOT_RETRYABLE', number, {
    from: retryableStatuses,
    to: 'PENDING',
    set: {
      round: sql`round + 1`,
      queue_seq: placeInQueue(sql.ref('priority'), sql<number>`nextval('call_order')`),
      attempts: 0,
      max_attempts: policy.MAX_ATTEMPTS,
      last_error: null,
      external_call_id: null,
      started_at: null,
      ended_at: null,
      next_attempt_at: null,
      expires_at: freshUnlessAhead(policy.DEFAULT_EXPIRY_SECONDS),
      handoff: 'START',
      handoff_at: sql`now()`,
    },
    events: [{ type: 'call.updated', reason: 'retried' }],
  });
}

async function changeCall(
  db: Database,
  id: string,
  heldBack: 'CALL_NOT_PENDING' | 'CALL_ALREADY_ENDED' | 'CALL_NOT_RETRYABLE',
  number: string | undefined,
  update: CallUpdate,
): Promise<CallRow> {
  try {
    const row = await unlessDeadlock(() => updateCall(db, id, update));
    if (row) return row;
  } catch (error) {
    if (violatedUnique(error) !== 'calls_active_number' || number === undefined) throw error;
    const active = await findActiveCall(db, number);
    throw new CallError('NUMBER_BUSY', undefined, { cause: error, ...(active && { activeCallId: active.id }) });
  }
  const current = await findCall(db, id);
  if (!current) throw new CallError('CALL_NOT_FOUND', `There is no call ${id}.`);
  if (heldBack === 'CALL_NOT_RETRYABLE' && current.forgotten_at !== null) throw new CallError('CALL_FORGOTTEN');
  throw new CallError(heldBack, `The call is ${current.status}.`);
}

const deadlocksBorne = 4;

/** Calls that take each other's numbers at once wait for each other; the one that is ended meets the index then. */
async function unlessDeadlock<T>(change: () => Promise<T>): Promise<T> {
  for (let deadlocks = 0; ; deadlocks++) {
    try {
      return await change();
    } catch (error) {
      if (!isDeadlock(error) || deadlocks === deadlocksBorne) throw error;
    }
  }
}
