import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createActivities } from '../activities';
import { taskQueue } from '../call/names';
import { Starter } from '../intake/starter';
import type { Logger } from '../log';
import { HttpProvider } from '../provider/http-provider';
import { followSwitch } from '../slots/follow-switch';
import { openRedis, redisProblem } from '../slots/redis';
import { longQueue, Semaphore } from '../slots/semaphore';
import { openReadyDatabase } from './database';
import { heartbeats } from './heartbeats';
import { ensureReconcileSchedule } from './reconcile-schedule';
import { ensureRetentionSchedule } from './retention-schedule';
import { serveHealth } from './health-server';
import { DependencyError, runRole, type RoleContext, type RunningRole } from './role';
import { sdkLog } from './sdk-log';
import { serveSdkMetrics, type SdkMetrics } from './sdk-metrics';
import { runSinks, tracedSteps } from './traced-worker';
import { openTemporalClient, temporalConnectionOptions, workerOptions } from './temporal';
import { waitForDependency } from './wait-for-dependency';
import { startWebhookWorker } from './webhook-worker';
import { shortenWorkflowStacks } from './workflow-stacks';

/** The worker: carries out the workflows and their steps. */
async function openWorker({ config, log }: RoleContext): Promise<RunningRole> {
  const sdkMetrics = config.HEALTH_PORT === undefined ? undefined : await serveSdkMetrics();
  installRuntime(log, sdkMetrics);
  shortenWorkflowStacks();
  const db = await openReadyDatabase(config, log);
  const redis = openRedis(config.REDIS_URL, log, 'worker');
  await waitForDependency(log, 'Redis', 'REDIS_URL', async () => {
    if (redis.status === 'wait' || redis.status === 'end') await redis.connect();
    await redis.ping();
  });
  const problem = await redisProblem(redis);
  if (problem !== undefined) throw new DependencyError(problem);

  const options = temporalConnectionOptions(config);
  const connection = await waitForDependency(log, 'Temporal', 'TEMPORAL_ADDRESS', () =>
    NativeConnection.connect(options),
  );
  const temporal = openTemporalClient(config);

  const semaphore = new Semaphore(redis, db, config.MAX_CONCURRENT_CALLS, log);
  const starter = new Starter({ db, temporal, policy: config, log });
  const worker = await Worker.create({
    connection,
    taskQueue,
    ...workerOptions(config),
    // What is on the line, and of a queue that is not long each one, twice over: some 200 KB each.
    maxCachedWorkflows: config.MAX_CONCURRENT_CALLS + 2 * longQueue,
    ...polling,
    activities: createActivities({
      db,
      temporal,
      semaphore,
      provider: new HttpProvider(config),
      starter,
      log,
      dialPatienceSeconds: config.DIAL_PATIENCE_SECONDS,
      maxCallSeconds: config.MAX_CALL_SECONDS,
      defaultExpirySeconds: config.DEFAULT_EXPIRY_SECONDS,
    }),
    interceptors: { activity: [heartbeats, tracedSteps] },
    sinks: runSinks,
    shutdownGraceTime: '15s',
    shutdownForceTime: '20s',
  });
  const webhooks = await startWebhookWorker({ config, db, temporal, connection, log, options: workerOptions(config) });
  const pauseSwitch = followSwitch({ config, temporal, semaphore, log });
  await ensureReconcileSchedule(temporal, config.RECONCILE_SECONDS);
  await ensureRetentionSchedule(temporal, config);
  const health = await serveHealth({ config, log, ...(sdkMetrics && { alsoMeasured: sdkMetrics.read }) });
  const run = worker.run();

  return {
    failed: Promise.all([run, webhooks.ended]).then(() => new Promise<never>(() => undefined)),
    close: async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await Promise.all([
        webhooks.close(),
        pauseSwitch.close(),
        run.catch((error: unknown) => log.error({ err: error }, 'worker ended badly')),
      ]);
      await health.close();
      await connection.close();
      redis.disconnect();
      await db.destroy();
    },
  };
}

/** Half of the polls are for workflows that begin, where the SDK has two of ten: of a burst each has to begin. */
const polling = {
  workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 20 },
  nonStickyToStickyPollRatio: 0.5,
} as const;

/** The SDK's own log lines join ours, and signals are ours to handle. */
function installRuntime(log: Logger, metrics: SdkMetrics | undefined): void {
  Runtime.install({
    shutdownSignals: [],
    logger: sdkLog(log),
    ...(metrics && { telemetryOptions: metrics.telemetry }),
  });
}

void runRole('worker', openWorker);
