import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time';

import { workflowId } from '../call/names';

export type WorkflowOfCall =
  | {
      kind: 'RUNNING';
      runId: string;
      /** Of the call, when the workflow was started. */
      round: unknown;
      /** An operator reset it, and this is the run that repeats. */
      reset: boolean;
    }
  /** `how`: terminated, timed out, canceled …, or gone: Temporal has none. */
  | { kind: 'CLOSED'; how: string };

/** By the server's own record, not by its list, which lags. */
export async function workflowOfCall(temporal: Client, callId: string): Promise<WorkflowOfCall> {
  return workflowNamed(temporal, workflowId(callId));
}

export async function workflowNamed(temporal: Client, id: string): Promise<WorkflowOfCall> {
  try {
    const { status, runId, memo, raw } = await temporal.workflow.getHandle(id).describe();
    if (status.name !== 'RUNNING') return { kind: 'CLOSED', how: words(status.name) };
    const began = raw.workflowExecutionInfo?.startTime;
    const firstBegan = raw.workflowExtendedInfo?.originalStartTime;
    const reset = firstBegan != null && tsToMs(began) !== tsToMs(firstBegan);
    return { kind: 'RUNNING', runId, round: memo?.['round'], reset };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { kind: 'CLOSED', how: 'gone' };
    throw error;
  }
}

/** Closed by an operator, or by a limit that was set: the call is not wanted any more. Otherwise it was lost. */
export function wasWithdrawn({ how }: { how: string }): boolean {
  return ['terminated', 'canceled', 'timed out'].includes(how);
}

const words = (statusName: string): string =>
  statusName === 'CANCELLED' ? 'canceled' : statusName.toLowerCase().replaceAll('_', ' ');
