import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';

import { workflowId } from '../call/names';
import { unlessNotFound } from './unless-not-found';

const running = temporal.api.enums.v1.WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING;

/**
 * Deletes what Temporal keeps of a call's workflow: the histories of all its runs, those of the attempts by the record and
 * whatever else the server finds. A run that is still coming to its end is canceled and waited for, for it gives back what
 * it holds. The latest run goes last: as long as it is there, whoever comes next knows that there is something left.
 *
 * @param runIds of the call's attempts
 * @returns false where it has to be done again later
 */
export async function deleteHistories(client: Client, callId: string, runIds: readonly string[]): Promise<boolean> {
  const { workflowService, options } = client;
  const { namespace } = options;
  const execution = { workflowId: workflowId(callId) };
  // Past the codec: whoever forgets need not be able to read.
  const latest = await unlessNotFound(() => workflowService.describeWorkflowExecution({ namespace, execution }));
  const { status, execution: latestExecution } = latest?.workflowExecutionInfo ?? {};
  if (status === running) {
    await unlessNotFound(() => client.workflow.getHandle(execution.workflowId).cancel());
    return false;
  }
  const known = new Set(runIds);
  const query = `WorkflowId = '${execution.workflowId}'`;
  const { executions } = await workflowService.listWorkflowExecutions({ namespace, query });
  for (const { execution: found } of executions) if (found?.runId) known.add(found.runId);
  const last = latestExecution?.runId ?? '';
  known.delete(last);
  for (const runId of [...known, ...(last === '' ? [] : [last])]) {
    const workflowExecution = { ...execution, runId };
    await unlessNotFound(() => workflowService.deleteWorkflowExecution({ namespace, workflowExecution }));
  }
  return true;
}
