import type { Client } from '@temporalio/client';

import { reportStatuses } from '../call/call';
import { workflowId } from '../call/names';
import { signalNames, type CallReported, type SlotGranted } from '../call/workflow-messages';
import { attemptInHand } from '../slots/attempt-in-hand';
import { findAttempt } from '../store/attempts';
import { tellOnce } from '../store/calls';
import type { AttemptRow, CallRow, Database } from '../store/database';
import { findReport } from '../store/provider-reports';
import type { Looked } from './mend-waiting-calls';

/**
 * A workflow that an operator reset to the midst of a run carries on with that run's attempt. Where the attempt has ended
 * since, by the record, its slot or its report would be waited for in vain: the run is told, and comes to its end.
 *
 * @returns MENDED where it was told now; told before, it is told again and not counted. LATER for a run that has not begun
 */
export async function wakeResetRun(
  deps: { db: Database; temporal: Client },
  call: CallRow,
  runId: string,
): Promise<Looked> {
  const attempt = await attemptOfRun(deps, call.id);
  // None by the record: the run is about to join the queue.
  if (attempt === undefined) return 'LATER';
  if (attempt.ended_at === null) return 'WELL';
  const reason = 'workflow reset to before its attempt had ended: told of its end';
  const first = await tellOnce(deps.db, call.id, `reset-run-woken/${runId}`, reason);

  const handle = deps.temporal.workflow.getHandle(workflowId(call.id), runId);
  // Whichever of the two it waits for; a claim for an attempt that has ended is refused by the record.
  const granted: SlotGranted = { attemptId: attempt.id, slot: attempt.slot ?? 1 };
  await handle.signal(signalNames.slotGranted, granted);
  await handle.signal(signalNames.callReported, await reportOf(deps.db, attempt));
  return first ? 'MENDED' : 'WELL';
}

async function attemptOfRun(deps: { db: Database; temporal: Client }, callId: string): Promise<AttemptRow | undefined> {
  try {
    return await findAttempt(deps.db, await attemptInHand(deps.temporal, callId));
  } catch {
    // A run that cannot say yet has not begun, or is ending: the next round looks again.
    return undefined;
  }
}

async function reportOf(db: Database, attempt: AttemptRow): Promise<CallReported> {
  const stored = await findReport(db, attempt.id);
  const status = stored?.status ?? reportStatuses.find((known) => known === attempt.outcome) ?? 'FAILED';
  return {
    attemptId: attempt.id,
    status,
    durationSec: stored?.durationSec ?? attempt.duration_sec,
    failureReason: stored?.failureReason ?? attempt.failure_reason,
  };
}
