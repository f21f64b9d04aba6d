import { type Client, WorkflowNotFoundError } from '@temporalio/client';

import { workflowId } from '../call/names';
import type { Logger } from '../log';
import { findAttempt, listLiveAttempts } from '../store/attempts';
import type { Database } from '../store/database';
import { findReport } from '../store/provider-reports';

interface Ids {
  callId: string;
  round: number;
  attemptId: string;
}

interface End {
  outcome: 'COMPLETED' | 'FAILED' | 'BUSY' | 'NO_ANSWER' | 'CANCELED';
  failureReason: string | null;
  durationSec: number | null;
}

export interface OrphanDeps {
  db: Database;
  temporal: Client;
  log: Logger;
  maxCallSeconds: number;
  hangUp: (ids: Ids) => Promise<{ offTheLine: boolean }>;
  finishAttempt: (
    finish: Ids & { end: End; verdict: 'COMPLETED' | 'FAILED' | 'CANCELED' | 'RETRY'; retryInSeconds: number },
  ) => Promise<unknown>;
}

type Owner =
  | { kind: 'ALIVE' }
  /** Terminated, timed out or gone: nobody will end this attempt. */
  | { kind: 'CLOSED'; how: string }
  /** The workflow was reset: another run goes on, and waits for this attempt to be off the line. */
  | { kind: 'RESET' };

/**
 * Ends attempts whose run is proven gone, at most as many as there are slots: hangs up what is still live, writes down
 * the end, gives the slot back. A slot is never taken because time passed, but for a call past MAX_CALL_SECONDS that
 * nobody can ask about or hang up.
 *
 * @returns how many were ended
 */
export async function endOrphanedAttempts(deps: OrphanDeps): Promise<number> {
  let ended = 0;
  for (const live of await listLiveAttempts(deps.db)) {
    const owner = await ownerOf(deps.temporal, live);
    if (owner.kind === 'ALIVE') continue;
    // A run writes down its attempt's end before it closes: where the run is gone and the row still open, nobody will.
    if ((await findAttempt(deps.db, live.attemptId))?.ended_at !== null) continue;
    try {
      if (await endOrphan(deps, live, owner)) ended++;
    } catch (error) {
      deps.log.warn(
        { callId: live.callId, err: error },
        'orphaned attempt still on the line; the next round asks again',
      );
    }
  }
  return ended;
}

async function ownerOf(temporal: Client, { callId, runId }: { callId: string; runId: string }): Promise<Owner> {
  try {
    const latest = await temporal.workflow.getHandle(workflowId(callId)).describe();
    if (latest.status.name !== 'RUNNING') return { kind: 'CLOSED', how: latest.status.name.toLowerCase() };
    return latest.runId === runId ? { kind: 'ALIVE' } : { kind: 'RESET' };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { kind: 'CLOSED', how: 'gone' };
    throw error;
  }
}

/** @returns false where the line may still be live and nobody can tell */
async function endOrphan(deps: OrphanDeps, live: Ids & { elapsedSeconds: number }, owner: Owner): Promise<boolean> {
  const { callId, round, attemptId } = live;
  const ids = { callId, round, attemptId };
  const report = await findReport(deps.db, attemptId);
  if (report === undefined) {
    const { offTheLine } = await deps.hangUp(ids);
    if (!offTheLine && live.elapsedSeconds < deps.maxCallSeconds) return false;
  }
  const reason = owner.kind === 'CLOSED' ? `workflow ${owner.how}` : 'workflow reset';
  const end: End =
    report === undefined
      ? { outcome: 'CANCELED', failureReason: reason, durationSec: null }
      : { outcome: report.status, failureReason: report.failure_reason, durationSec: report.duration_sec };
  const verdict = end.outcome === 'COMPLETED' ? 'COMPLETED' : owner.kind === 'RESET' ? 'RETRY' : 'CANCELED';
  await deps.finishAttempt({ ...ids, end, verdict, retryInSeconds: 0 });
  deps.log.warn({ callId, attemptId, reason }, 'orphaned attempt ended');
  return true;
}
