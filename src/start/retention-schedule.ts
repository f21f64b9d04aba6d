import { ScheduleNotFoundError, ScheduleOverlapPolicy, type Client } from '@temporalio/client';

import { taskQueue } from '../call/names';
import type { Config } from '../config';
import { ensureSchedule } from './ensure-schedule';

const scheduleId = 'retention';

/** Sees to it that Temporal applies the retention every hour, as the settings have it; with none, that it does not. */
export async function ensureRetentionSchedule(
  temporal: Client,
  { PERSONAL_DATA_RETENTION_DAYS, RETENTION_DAYS }: Pick<Config, 'PERSONAL_DATA_RETENTION_DAYS' | 'RETENTION_DAYS'>,
): Promise<void> {
  if (PERSONAL_DATA_RETENTION_DAYS === 0 && RETENTION_DAYS === 0) {
    try {
      await temporal.schedule.getHandle(scheduleId).delete();
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    }
    return;
  }
  await ensureSchedule(temporal, {
    scheduleId,
    spec: { intervals: [{ every: '1h' }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'applyRetention',
      workflowId: 'retention',
      taskQueue,
      args: [{ forgetAfterDays: PERSONAL_DATA_RETENTION_DAYS, deleteAfterDays: RETENTION_DAYS }],
    },
    // A run that has much to do is let finish; the hours it takes are not caught up on.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '60s' },
  });
}
