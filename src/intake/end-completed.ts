import type { Client } from '@temporalio/client';
import { Counter } from 'prom-client';

import type { Logger } from '../log';
import { registry } from '../metrics';
import type { Semaphore } from '../slots/semaphore';
import { giveBack } from '../slots/signal-grants';
import { recordCompleted } from '../store/attempt-ends';
import type { AttemptInCall } from '../store/attempts';
import type { AttemptRow, Database } from '../store/database';
import type { ProviderReport } from '../store/provider-reports';
import { inCall } from '../tracing';

export const attemptsEnded = new Counter({
  name: 'orchestrator_attempts_total',
  help: 'Attempts that began and have ended, by outcome; each is counted by the process that wrote its end down',
  labelNames: ['outcome'],
  registers: [registry],
});

export interface EndDeps {
  db: Database;
  temporal: Client;
  semaphore: Pick<Semaphore, 'release'>;
  log: Logger;
}

/** An attempt that ended by its report. */
export interface Ending {
  attempt: AttemptRow;
  /** The slot's number, once it is given back and whoever gets it was told. Rejects where one of these is away. */
  handedOver: Promise<number>;
}

/**
 * A call that went well needs nobody's decision: its report is stored and its end written down at once, right where the
 * report came, and its slot goes to whoever waits longest, who need not wait for the ended call's workflow. That comes to
 * the same end when it hears of the report, and finds both done; where this process dies in between, it does what is
 * left. Any other report is its to judge.
 *
 * @returns undefined where it did not end by this; the report may be stored or not
 */
export async function endCompleted(
  deps: EndDeps,
  attempt: AttemptInCall,
  report: ProviderReport,
): Promise<Ending | undefined> {
  if (report.status !== 'COMPLETED' || attempt.started_at === null || attempt.ended_at !== null) return undefined;
  // Withdrawn, or another round's by now: its workflow knows what to make of the report.
  if (attempt.callStatus !== 'IN_PROGRESS' || attempt.callRound !== attempt.round) return undefined;
  const ids = { callId: attempt.call_id, round: attempt.round, attemptId: attempt.id };
  return inCall(ids.callId, 'end completed call', { runId: attempt.run_id }, async () => {
    // The line is down by the report. Whoever gets the slot needs longer to come than this end to be written down, and is
    // fenced out until it is.
    const released = giveBack(deps, ids);
    released.catch(() => undefined);
    const ended = await recordCompleted(deps.db, attempt, report);
    if (ended === undefined) return undefined;
    attemptsEnded.inc({ outcome: report.status });
    const handedOver = released.then(async (slot) => {
      // A dial that was taken again meanwhile has taken the slot again: from now on it sees that the attempt has ended.
      await giveBack(deps, ids);
      deps.log.info({ callId: ids.callId, attempt: ended.number, slot, outcome: report.status }, 'attempt ended');
      return slot;
    });
    handedOver.catch(() => undefined);
    return { attempt: ended, handedOver };
  });
}
