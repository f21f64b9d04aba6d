import { ScheduleAlreadyRunning, type Client, type ScheduleOptions } from '@temporalio/client';

import { UnreadablePayloadError } from '../encryption/payload-codec';

/** Sees to it that Temporal has the schedule as it is here, whichever worker comes first and whatever it was before. */
export async function ensureSchedule(temporal: Client, options: ScheduleOptions & { spec: object }): Promise<void> {
  if (await isCreated(temporal, options)) return;
  const { spec, action, policies } = options;
  const existing = temporal.schedule.getHandle(options.scheduleId);
  try {
    await existing.update((running) => ({ ...running, spec, action, policies: { ...running.policies, ...policies } }));
  } catch (error) {
    if (!(error instanceof UnreadablePayloadError)) throw error;
    // Its input is encrypted with a key that is gone: nobody reads it any more, and ours is here.
    await existing.delete();
    await isCreated(temporal, options);
  }
}

/** @returns false where there is one already */
async function isCreated(temporal: Client, options: ScheduleOptions): Promise<boolean> {
  try {
    await temporal.schedule.create(options);
    return true;
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    return false;
  }
}
