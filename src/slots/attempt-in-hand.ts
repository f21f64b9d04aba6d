import type { Client } from '@temporalio/client';

import { workflowId } from '../call/names';
import { attemptIdQuery } from '../call/workflow-messages';

const querySeconds = 5;

/**
 * @returns the attempt that the call's running workflow carries out
 * @throws where it cannot say: it has not begun, has ended meanwhile, or no worker answers in time
 */
export async function attemptInHand(temporal: Client, callId: string): Promise<string> {
  return temporal.withDeadline(Date.now() + querySeconds * 1_000, () =>
    temporal.workflow.getHandle(workflowId(callId)).query<string>(attemptIdQuery),
  );
}
