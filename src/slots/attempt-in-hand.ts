import type { Client } from '@temporalio/client';
import { decodeFromPayloadsAtIndex } from '@temporalio/common/lib/internal-non-workflow';

import { workflowId } from '../call/names';
import { attemptIdQuery } from '../call/workflow-messages';

const querySeconds = 5;

/**
 * @returns the attempt that the call's running workflow carries out
 * @throws where it cannot say: it has not begun, has ended meanwhile, or no worker answers in time
 */
export async function attemptInHand(temporal: Client, callId: string): Promise<string> {
  const { namespace, loadedDataConverter } = temporal.options;
  // Asked of the service itself: a handle would make the request after an await, where the deadline holds no more.
  const { queryResult } = await temporal.withDeadline(Date.now() + querySeconds * 1_000, () =>
    temporal.workflowService.queryWorkflow({
      namespace,
      execution: { workflowId: workflowId(callId) },
      query: { queryType: attemptIdQuery },
    }),
  );
  return decodeFromPayloadsAtIndex<string>(loadedDataConverter, 0, queryResult?.payloads);
}
