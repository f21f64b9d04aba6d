import { CallError } from '../call/errors';
import { isFinal } from '../call/transitions';
import { findCall } from '../store/calls';
import type { CallRow, Database } from '../store/database';
import { forgetCalls } from '../store/forgotten-calls';

/**
 * Forgets the person in a call that is over. Asked again, it answers with the call as it is, and its row still has the
 * order to delete its histories where that is yet to be done.
 *
 * @throws CallError CALL_NOT_FOUND, CALL_NOT_ENDED
 */
export async function forgetCall(db: Database, id: string): Promise<CallRow> {
  const [row] = await db.transaction().execute((trx) => forgetCalls(trx, [id], 'REQUEST'));
  if (row !== undefined) return row;
  const current = await findCall(db, id);
  if (!current) throw new CallError('CALL_NOT_FOUND', `There is no call ${id}.`);
  if (current.forgotten_at !== null) return current;
  const reason = isFinal(current.status)
    ? 'One of its lines is not known to be down, or it has not left the queue: try again soon.'
    : `The call is ${current.status}: cancel it first.`;
  throw new CallError('CALL_NOT_ENDED', reason);
}
