import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';

import { deliveryWorkflowId, webhookTaskQueue } from '../call/names';
import { deliverWebhookWorkflow, type DeliverWebhookInput } from '../call/webhook';
import type { Config } from '../config';
import type { Logger } from '../log';
import { startLeader } from '../store/leader';
import { sessionLocks } from '../store/session';
import { deliveryNotices, listUnstarted, markStarted } from '../store/webhook-deliveries';

export interface DispatcherDeps {
  config: Pick<Config, 'DATABASE_URL' | 'RECONCILE_SECONDS'>;
  temporal: Client;
  log: Logger;
  /** Looks for deliveries whose workflow was ended by others. */
  mend: () => Promise<unknown>;
}

const deliveriesPerLook = 200;
const startedAtOnce = 20;

/**
 * Hands deliveries to Temporal: each row that was not is the order to start its workflow, so that a crash, or Temporal
 * being away, delays it and no more. One that is handed off twice is started once. Of any number of workers one leads; it
 * also looks now and then after what was handed off.
 */
export function startDispatcher(deps: DispatcherDeps): { close: () => Promise<void> } {
  const { config, temporal, log } = deps;
  const looksAfter = everySeconds(config.RECONCILE_SECONDS, async () => {
    await deps
      .mend()
      .catch((error: unknown) => log.warn({ err: error }, 'webhooks: not looked after; the next look will'));
  });
  const leader = startLeader({
    url: config.DATABASE_URL,
    name: 'call-orchestrator webhooks',
    locks: { leads: sessionLocks.webhooks, sleeps: sessionLocks.webhooksSleep },
    channel: deliveryNotices,
    look: async (session) => {
      looksAfter.soon();
      const orders = await listUnstarted(session.db, deliveriesPerLook);
      for (let from = 0; from < orders.length; from += startedAtOnce) {
        const some = orders.slice(from, from + startedAtOnce);
        await Promise.all(some.map((order) => startDelivery(temporal, order)));
        await markStarted(session.db, some);
      }
      return orders.length;
    },
    fullLook: deliveriesPerLook,
    // Once an outage: what is to be delivered waits in its rows.
    onFailure: (error, failures) =>
      log[failures === 1 ? 'error' : 'debug']({ err: error }, 'webhooks: not handed to Temporal; trying again'),
    onRecovery: (failures) => log.info({ failures }, 'webhooks: handed to Temporal again'),
  });
  return {
    close: async () => {
      await leader.close();
      await looksAfter.done();
    },
  };
}

async function startDelivery({ workflow }: Client, order: DeliverWebhookInput): Promise<void> {
  const { deliveryId, round } = order;
  try {
    await workflow.start(deliverWebhookWorkflow, {
      workflowId: deliveryWorkflowId(deliveryId, round),
      taskQueue: webhookTaskQueue,
      args: [order],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
  if (round === 1) return;
  // It would end by itself, after a wait of up to a day.
  await workflow
    .getHandle(deliveryWorkflowId(deliveryId, round - 1))
    .cancel()
    .catch((error: unknown) => {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    });
}

/** Work that is done beside, never twice at once, and not more often than that. */
function everySeconds(seconds: number, work: () => Promise<void>) {
  let dueAt = 0;
  let running: Promise<void> | undefined;
  return {
    soon: () => {
      if (running !== undefined || performance.now() < dueAt) return;
      dueAt = performance.now() + seconds * 1_000;
      running = work().finally(() => {
        running = undefined;
      });
    },
    done: () => running ?? Promise.resolve(),
  };
}
