import type { Client } from '@temporalio/client';

import { callIdOfWorkflow, workflowId } from '../call/names';
import { placeCallWorkflow } from '../call/workflow-messages';
import type { Logger } from '../log';
import type { LiveAttempt } from '../store/orphans';

/** A query names each. */
const namedAtOnce = 100;

/** What is known of a call's run by the record or by Temporal. */
type Run = Pick<LiveAttempt, 'callId' | 'runId'>;

/** The runs of calls that Temporal lists, page by page, as they are asked for. @param condition in the list's language */
export async function* listRuns(temporal: Client, condition: string): AsyncGenerator<Run> {
  const query = `WorkflowType = '${placeCallWorkflow}' AND ${condition}`;
  for await (const { workflowId: id, runId } of temporal.workflow.list({ query, pageSize: 1_000 })) {
    const callId = callIdOfWorkflow(id);
    if (callId !== undefined) yield { callId, runId };
  }
}

/**
 * Which calls are carried on by the run that the record names, as far as Temporal's list tells: a request for a hundred
 * of them, where to be sure of one is a request for each. The list lags, so one that closed a moment ago may be among
 * them, and the next round finds it. What is not among them is to be looked at by itself.
 */
export async function listCarriedOn(
  { temporal, log }: { temporal: Client; log: Logger },
  recorded: readonly Run[],
): Promise<Set<string>> {
  const carriedOn = new Set<string>();
  try {
    for (let from = 0; from < recorded.length; from += namedAtOnce) {
      const runs = new Map(recorded.slice(from, from + namedAtOnce).map(({ callId, runId }) => [callId, runId]));
      const ids = [...runs.keys()].map((callId) => `'${workflowId(callId)}'`).join(', ');
      const condition = `ExecutionStatus = 'Running' AND WorkflowId IN (${ids})`;
      for await (const { callId, runId } of listRuns(temporal, condition)) {
        if (runs.get(callId) === runId) carriedOn.add(callId);
      }
    }
  } catch (error) {
    // Its list is a store of its own, and may be away alone: slots are not to wait for it.
    log.warn({ err: error }, "Temporal's list cannot be read: each call is looked at by itself");
  }
  return carriedOn;
}
