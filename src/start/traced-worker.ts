import { activityInfo } from '@temporalio/activity';
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';

import { callIdOfWorkflow } from '../call/names';
import { inCall, traceRun } from '../tracing';
import type { RunSinks } from '../workflows/trace-runs';

/** Each step of a call, as a span of the run that takes it. */
export const tracedSteps: ActivityInterceptorsFactory = () => ({
  inbound: {
    execute: (input, next) => {
      const { activityType, attempt, workflowExecution } = activityInfo();
      const callId = callIdOfWorkflow(workflowExecution?.workflowId ?? '');
      if (callId === undefined || workflowExecution === undefined) return next(input);
      const { runId } = workflowExecution;
      return inCall(callId, activityType, { runId, attributes: { 'temporal.attempt': attempt } }, () => next(input));
    },
  },
});

/** What the workflows tell of their runs (`src/workflows/trace-runs.ts`). */
export const runSinks: InjectedSinks<RunSinks> = {
  runs: {
    ended: {
      fn: ({ workflowId, workflowType, runId, runStartTime, attempt }, endedAt, failure) => {
        const callId = callIdOfWorkflow(workflowId);
        if (callId === undefined) return;
        traceRun(callId, runId, { name: workflowType, startedAt: runStartTime, endedAt, attempt, failure });
      },
    },
  },
};
