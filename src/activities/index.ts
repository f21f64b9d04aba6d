import type { Client } from '@temporalio/client';

import type { ReconcilerDuty } from '../call/reconciler-duties';
import type { Starter } from '../intake/starter';
import type { Logger } from '../log';
import type { Provider } from '../provider/provider';
import { auditSlots } from '../reconciler/audit-slots';
import { deliverReports } from '../reconciler/deliver-reports';
import { endOrphanedAttempts } from '../reconciler/end-orphaned-attempts';
import { countMends } from '../reconciler/count-mends';
import { expireOverdue } from '../reconciler/expire-overdue';
import { handOffLeftBehind } from '../reconciler/hand-off-left-behind';
import { hangUpStrays } from '../reconciler/hang-up-strays';
import { mendWaitingCalls } from '../reconciler/mend-waiting-calls';
import { resendGrants } from '../reconciler/resend-grants';
import type { Semaphore } from '../slots/semaphore';
import type { Database } from '../store/database';
import { dial } from './dial';
import { enqueueAttempt } from './enqueue-attempt';
import { expireCall } from './expire-call';
import { finishAttempt } from './finish-attempt';
import { getOffTheLine, hangUp } from './hang-up';
import { deleteDue, forgetDue } from './retention';
import { settleUnreported } from './settle-unreported';

export type * from './steps';

/** What the steps of a call work with. */
export interface ActivityDeps {
  db: Database;
  temporal: Client;
  semaphore: Semaphore;
  provider: Provider;
  starter: Starter;
  log: Logger;
  /** Seconds for which an attempt keeps trying to reach the provider. */
  dialPatienceSeconds: number;
  /** Seconds after which an attempt that nobody reports or can hang up is given up. */
  maxCallSeconds: number;
  /** Seconds that a call has which starts again after its expiry. */
  defaultExpirySeconds: number;
}

/** The steps that workflows take, each safe to take again. */
export function createActivities(deps: ActivityDeps) {
  return {
    enqueueAttempt: enqueueAttempt(deps),
    dial: dial(deps),
    hangUp: hangUp(deps),
    settleUnreported: settleUnreported(deps),
    finishAttempt: finishAttempt(deps),
    expireCall: expireCall(deps),
    forgetDue: forgetDue(deps),
    deleteDue: deleteDue(deps),
    ...duties(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;

/** What the reconciler does, each duty an activity that counts what it mended. */
function duties(deps: ActivityDeps): Record<ReconcilerDuty, () => Promise<number>> {
  const orphanDeps = { ...deps, getOffTheLine: getOffTheLine(deps), finishAttempt: finishAttempt(deps) };
  return countMends(deps.db, {
    handOffLeftBehind: () => handOffLeftBehind(deps),
    deliverReports: () => deliverReports(deps),
    resendGrants: () => resendGrants(deps),
    expireOverdue: () => expireOverdue(deps),
    endOrphanedAttempts: async () => (await endOrphanedAttempts(orphanDeps)) + (await hangUpStrays(deps)),
    mendWaitingCalls: mendWaitingCalls(deps),
    auditSlots: () => auditSlots(deps),
  });
}
