import { ScheduleOverlapPolicy, type Client } from '@temporalio/client';

import { taskQueue } from '../call/names';
import { ensureSchedule } from './ensure-schedule';

/** One run does many rounds, so that a list of workflows shows calls and not the reconciler's every look. */
const runSeconds = 600;

/**
 * Sees to it that Temporal runs the reconciler every so many seconds, whichever worker comes first and whatever the
 * setting was before. A run still going when the next is due is left alone; one that died is followed at the next tick.
 */
export async function ensureReconcileSchedule(temporal: Client, seconds: number): Promise<void> {
  await ensureSchedule(temporal, {
    scheduleId: 'reconcile',
    spec: { intervals: [{ every: seconds * 1_000 }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'reconcile',
      workflowId: 'reconcile',
      taskQueue,
      // A run that a deployment left unable to go on makes way for the next.
      workflowRunTimeout: (runSeconds + 60) * 1_000,
      args: [{ everySeconds: seconds, rounds: Math.ceil(runSeconds / seconds) }],
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '60s' },
  });
}
