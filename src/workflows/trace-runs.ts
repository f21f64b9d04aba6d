import {
  ApplicationFailure,
  isCancellation,
  proxySinks,
  type Sinks,
  workflowInfo,
  type WorkflowInterceptorsFactory,
} from '@temporalio/workflow';

import { placeCallWorkflow } from '../call/workflow-messages';

/** What a run tells the worker that carries it out, beside its history. */
export interface RunSinks extends Sinks {
  runs: {
    /** @param endedAt milliseconds since the epoch. @param failure the kind of it, where it did not end well */
    ended(endedAt: number, failure?: string): void;
  };
}

const { runs } = proxySinks<RunSinks>();

/** Tells the worker when a run of a call is over, for the call's trace: no command, so that histories know nothing of it. */
export const interceptors: WorkflowInterceptorsFactory = () => ({
  inbound: [
    {
      execute: async (input, next) => {
        if (workflowInfo().workflowType !== placeCallWorkflow) return next(input);
        try {
          const result = await next(input);
          runs.ended(Date.now());
          return result;
        } catch (error) {
          runs.ended(Date.now(), kindOf(error));
          throw error;
        }
      },
    },
  ],
});

function kindOf(error: unknown): string {
  if (isCancellation(error)) return 'Cancelled';
  return (error instanceof ApplicationFailure ? error.type : undefined) ?? 'Error';
}
