import { Logger, makeWorkerUtils, run, type Runner } from 'graphile-worker';

import type { BenchCall } from '../requests';
import { servePeer } from './serve-peer';

const task = 'call';
const quiet = new Logger(() => () => undefined);

servePeer(async () => {
  const connectionString = process.env['DATABASE_URL'] ?? '';
  const utils = await makeWorkerUtils({ connectionString, logger: quiet, maxPoolSize: 30 });
  await utils.migrate();
  let runner: Runner | undefined;
  return {
    add: (call) => utils.addJob(task, call, { maxAttempts: 3 }),
    work: async (carryOut, concurrency) => {
      runner = await run({
        connectionString,
        concurrency,
        maxPoolSize: concurrency + 2,
        logger: quiet,
        noHandleSignals: true,
        // A new job wakes it; when one ends it looks for the next by itself.
        pollInterval: 2_000,
        taskList: { [task]: (payload) => carryOut(payload as BenchCall) },
      });
    },
    close: async () => {
      await runner?.stop();
      await utils.release();
    },
  };
});
