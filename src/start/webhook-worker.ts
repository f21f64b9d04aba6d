import type { Client } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';

import { createWebhookActivities } from '../activities/webhooks';
import { webhookTaskQueue } from '../call/names';
import type { Config } from '../config';
import type { Logger } from '../log';
import { mendDeliveries } from '../reconciler/mend-deliveries';
import type { Database } from '../store/database';
import { startDispatcher } from '../webhooks/dispatcher';
import { WebhookSender } from '../webhooks/webhook-sender';
import { heartbeats } from './heartbeats';

export interface WebhookWorkerDeps {
  config: Config;
  db: Database;
  temporal: Client;
  connection: NativeConnection;
  log: Logger;
  options: Pick<WorkerOptions, 'namespace' | 'dataConverter' | 'workflowBundle' | 'workflowsPath'>;
}

export interface WebhookWorker {
  /** Settles where the worker ended by itself. */
  ended: Promise<void>;
  close: () => Promise<void>;
}

/** Sends webhooks to clients: a worker for their task queue, and the hand-off of what is to be sent. */
export async function startWebhookWorker(deps: WebhookWorkerDeps): Promise<WebhookWorker> {
  const { config, db, temporal, connection, log, options } = deps;
  const sender = new WebhookSender(config);
  const worker = await Worker.create({
    connection,
    taskQueue: webhookTaskQueue,
    ...options,
    activities: createWebhookActivities({ db, sender, config }),
    interceptors: { activity: [heartbeats] },
    shutdownGraceTime: '15s',
    shutdownForceTime: '20s',
  });
  const dispatcher = startDispatcher({ config, temporal, log, mend: mendDeliveries({ db, temporal, log }) });
  const run = worker.run();
  return {
    ended: run,
    close: async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await Promise.all([
        dispatcher.close(),
        run.catch((error: unknown) => log.error({ err: error }, 'webhook worker ended badly')),
      ]);
      await sender.close();
    },
  };
}
