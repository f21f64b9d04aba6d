import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type Client, type ScheduleOptions } from '@temporalio/client';

import { taskQueue } from '../call/names';

/**
 * Sees to it that Temporal runs the reconciler every so many seconds, whichever worker comes first and whatever the
 * setting was before. A run still going when the next is due is left alone.
 */
export async function ensureReconcileSchedule(temporal: Client, seconds: number): Promise<void> {
  const options: ScheduleOptions = {
    scheduleId: 'reconcile',
    spec: { intervals: [{ every: seconds * 1_000 }] },
    action: { type: 'startWorkflow', workflowType: 'reconcile', workflowId: 'reconcile', taskQueue, args: [] },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '60s' },
  };
  try {
    await temporal.schedule.create(options);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await temporal.schedule.getHandle(options.scheduleId).update((running) => ({ ...running, spec: options.spec }));
  }
}
