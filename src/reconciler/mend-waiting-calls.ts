import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { sql } from 'kysely';

import { callIdOfWorkflow, workflowId } from '../call/names';
import { placeCallWorkflow } from '../call/workflow-messages';
import type { Logger } from '../log';
import type { Semaphore } from '../slots/semaphore';
import { signalGrants } from '../slots/signal-grants';
import { dropWaitingAttempts } from '../store/attempts';
import { updateCall, type CallUpdate } from '../store/calls';
import type { CallRow, Database } from '../store/database';

export interface MendDeps {
  db: Database;
  temporal: Client;
  semaphore: Semaphore;
  log: Logger;
}

/** How far back terminated workflows are looked for, by Temporal's list; older ones are met by the sample. */
const recentMinutes = 15;
const sampleSize = 100;

/**
 * Finds PENDING calls whose workflow was terminated, timed out or is gone: the first two end, as an operator wanted or a
 * limit demanded; one that is gone is started again. Looked at are those that Temporal lists as closed so of late,
 * and a sample of all, so that each is looked at sooner or later however long the queue is.
 *
 * @returns how many were mended
 */
export async function mendWaitingCalls(deps: MendDeps): Promise<number> {
  const suspects = new Set([...(await recentlyClosed(deps.temporal)), ...(await sample(deps.db))]);
  let mended = 0;
  for (const row of await readPending(deps.db, [...suspects])) if (await mend(deps, row)) mended++;
  return mended;
}

async function recentlyClosed(temporal: Client): Promise<string[]> {
  const since = new Date(Date.now() - recentMinutes * 60_000).toISOString();
  const query = `WorkflowType = '${placeCallWorkflow}' AND ExecutionStatus IN ('Terminated', 'TimedOut') AND CloseTime > '${since}'`;
  const callIds: string[] = [];
  for await (const { workflowId: id } of temporal.workflow.list({ query, pageSize: 1_000 })) {
    const callId = callIdOfWorkflow(id);
    if (callId !== undefined) callIds.push(callId);
  }
  return callIds;
}

/** Calls from a random place in the order of ids: over time, all. */
async function sample(db: Database): Promise<string[]> {
  const rows = await db
    .selectFrom('calls')
    .select('id')
    .where('status', '=', 'PENDING')
    .where('id', '>=', sql<string>`gen_random_uuid()`)
    .orderBy('id')
    .limit(sampleSize)
    .execute();
  return rows.map((row) => row.id);
}

/** Those that wait, with nothing on its way to Temporal. */
async function readPending(db: Database, callIds: readonly string[]): Promise<CallRow[]> {
  if (callIds.length === 0) return [];
  return db
    .selectFrom('calls')
    .selectAll()
    .where('id', 'in', callIds)
    .where('status', '=', 'PENDING')
    .where('handoff', 'is', null)
    .execute();
}

async function mend(deps: MendDeps, row: CallRow): Promise<boolean> {
  const how = await closedHow(deps.temporal, row.id);
  if (how === undefined) return false;
  // Only the call as it was looked at: what happened to it meanwhile raised its event sequence.
  const when: CallUpdate['when'] = (eb) => eb('event_sequence', '=', row.event_sequence);
  const lost = how === 'gone';
  const changed = await deps.db
    .transaction()
    .execute(async (trx) => {
      const dropped = await dropWaitingAttempts(trx, row.id);
      const updated = await updateCall(trx, row.id, {
        from: ['PENDING'],
        round: row.round,
        when,
        ...(lost
          ? {
              set: { handoff: 'START', handoff_at: sql`now()` },
              events: [{ type: 'call.updated', reason: 'workflow gone' }],
            }
          : {
              to: 'CANCELED',
              set: { ended_at: sql`now()`, next_attempt_at: null, last_error: `workflow ${how}` },
              events: [{ type: 'call.canceled', reason: `workflow ${how}` }],
            }),
      });
      // Nothing is dropped where the call has moved on.
      if (updated === undefined) throw new MovedOn();
      return dropped;
    })
    .catch((error: unknown) => {
      if (error instanceof MovedOn) return undefined;
      throw error;
    });
  if (changed === undefined) return false;
  deps.log.warn(
    { callId: row.id, how },
    lost ? 'workflow gone: started again' : 'workflow ended by others: call canceled',
  );
  for (const attemptId of changed) {
    await signalGrants(deps, (await deps.semaphore.release({ callId: row.id, attemptId })).grants);
  }
  return true;
}

class MovedOn extends Error {}

/** @returns how the workflow closed, `gone` for none, or undefined while one runs */
async function closedHow(temporal: Client, callId: string): Promise<string | undefined> {
  try {
    const { status } = await temporal.workflow.getHandle(workflowId(callId)).describe();
    return status.name === 'RUNNING' ? undefined : status.name.toLowerCase().replaceAll('_', ' ');
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'gone';
    throw error;
  }
}
