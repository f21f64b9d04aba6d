import type { Client } from '@temporalio/client';

import { deliverReport } from '../intake/provider-reports';
import type { Database } from '../store/database';
import { listUndeliveredAttempts } from '../store/provider-reports';

/** Old enough that the process which stored the report has had the time to signal it. */
const leftBehindSeconds = 3;

/**
 * Signals reports that were stored while Temporal was away, or whose process died before it signalled them.
 *
 * @returns how many attempts in progress were told
 */
export async function deliverReports(deps: { db: Database; temporal: Client }): Promise<number> {
  const attemptIds = await listUndeliveredAttempts(deps.db, { olderThanSeconds: leftBehindSeconds, limit: 500 });
  let told = 0;
  for (const attemptId of attemptIds) if (await deliverReport(deps, attemptId, { late: true })) told++;
  return told;
}
