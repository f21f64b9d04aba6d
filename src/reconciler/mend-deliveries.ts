import type { Client } from '@temporalio/client';

import { deliveryIdOfWorkflow, deliveryWorkflowId } from '../call/names';
import { deliverWebhookWorkflow } from '../call/webhook';
import type { Logger } from '../log';
import type { Database } from '../store/database';
import {
  anyStarted,
  failDelivery,
  handOffAgain,
  listOverdue,
  readStarted,
  type LookedAt,
} from '../store/webhook-deliveries';
import { listWorkflows } from './listed-runs';
import { wasWithdrawn, workflowNamed } from './workflow-of-call';

export interface MendDeliveriesDeps {
  db: Database;
  temporal: Client;
  log: Logger;
}

/** How far back closed workflows are looked for, by Temporal's list; others are met when their next try is overdue. */
const recentMinutes = 15;
const overdueSeconds = 60;
const overduePerLook = 100;
const lookedAtAtOnce = 5;

/**
 * Finds deliveries that nobody carries on though they are PENDING. One whose workflow an operator terminated or canceled,
 * or which ran into a limit, has FAILED with that as its reason; one whose workflow is closed in another way, or gone, is
 * handed to Temporal again.
 *
 * @returns a look that says how many were mended; each goes on where the one before it stopped
 */
export function mendDeliveries({ db, temporal, log }: MendDeliveriesDeps): () => Promise<number> {
  let afterSeq = 0;
  return async () => {
    if (!(await anyStarted(db))) return 0;
    const overdue = await listOverdue(db, { afterSeq, olderThanSeconds: overdueSeconds, limit: overduePerLook });
    afterSeq = overdue.length < overduePerLook ? 0 : (overdue.at(-1)?.seq ?? 0);
    const looked = [...(await readStarted(db, await listClosed(temporal))), ...overdue];
    let mended = 0;
    for (let from = 0; from < looked.length; from += lookedAtAtOnce) {
      const some = await Promise.all(looked.slice(from, from + lookedAtAtOnce).map((one) => lookAt(db, temporal, one)));
      mended += some.filter((changed) => changed).length;
    }
    if (mended > 0) log.warn({ mended }, 'webhooks: workflows were ended by others');
    return mended;
  };
}

/** @returns ids of deliveries with a workflow that was lately closed, and not by coming to its end */
async function listClosed(temporal: Client): Promise<string[]> {
  const since = new Date(Date.now() - recentMinutes * 60_000).toISOString();
  const ids: string[] = [];
  // One status at a time is what the embedded server has an index for.
  for (const status of ['Terminated', 'Canceled', 'TimedOut', 'Failed']) {
    const query = `WorkflowType = '${deliverWebhookWorkflow}' AND ExecutionStatus = '${status}' AND CloseTime > '${since}'`;
    for await (const { workflowId } of listWorkflows(temporal, query)) {
      const id = deliveryIdOfWorkflow(workflowId);
      if (id !== undefined) ids.push(id);
    }
  }
  return ids;
}

async function lookAt(db: Database, temporal: Client, delivery: LookedAt): Promise<boolean> {
  const workflow = await workflowNamed(temporal, deliveryWorkflowId(delivery.deliveryId, delivery.round));
  if (workflow.kind === 'RUNNING') return false;
  const how = `workflow ${workflow.how}`;
  return wasWithdrawn(workflow) ? failDelivery(db, delivery, how) : handOffAgain(db, delivery, `${how}: started again`);
}
