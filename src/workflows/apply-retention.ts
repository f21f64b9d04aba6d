import { continueAsNew, proxyActivities } from '@temporalio/workflow';

import type { Activities } from '../activities';

const { forgetDue, deleteDue } = proxyActivities<Activities>({
  startToCloseTimeout: '120s',
  heartbeatTimeout: '15s',
  retry: { initialInterval: '5s', maximumInterval: '60s' },
});

/** Few enough that a batch is a short transaction, and that its heartbeats are enough. */
const callsPerBatch = 200;
/** Then the run goes on in a history of its own. */
const batchesPerRun = 200;

export interface RetentionInput {
  /** Days after their end in which calls keep their personal data. 0: for ever. */
  forgetAfterDays: number;
  /** Days after their end in which calls are kept. 0: for ever. */
  deleteAfterDays: number;
}

/** Forgets and deletes what is due, batch by batch, until nothing is. A Temporal Schedule starts it every hour. */
export async function applyRetention(input: RetentionInput): Promise<{ forgotten: number; deleted: number }> {
  const { forgetAfterDays, deleteAfterDays } = input;
  const done = { forgotten: 0, deleted: 0 };
  for (let batches = 0; batches < batchesPerRun; batches++) {
    // Deleted first: what is deleted need not be forgotten.
    const deleted =
      deleteAfterDays === 0 ? 0 : await deleteDue({ olderThanDays: deleteAfterDays, limit: callsPerBatch });
    const forgotten =
      forgetAfterDays === 0 ? 0 : await forgetDue({ olderThanDays: forgetAfterDays, limit: callsPerBatch });
    done.deleted += deleted;
    done.forgotten += forgotten;
    if (deleted < callsPerBatch && forgotten < callsPerBatch) return done;
  }
  return continueAsNew<typeof applyRetention>(input);
}
