import { activityInfo, heartbeat } from '@temporalio/activity';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';

/** Several within the heartbeat timeout of `src/workflows/steps.ts`, so that one lost is no death. */
const everySeconds = 3;

/**
 * Every step that runs as an activity beats while it runs: Temporal then knows within seconds that its worker died, and
 * has another take the step, instead of waiting until the step could have ended.
 */
export const heartbeats: ActivityInterceptorsFactory = () => ({
  inbound: {
    execute: async (input, next) => {
      if (activityInfo().isLocal) return next(input);
      const timer = setInterval(() => heartbeat(), everySeconds * 1_000);
      try {
        return await next(input);
      } finally {
        clearInterval(timer);
      }
    },
  },
});
