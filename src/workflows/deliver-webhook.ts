import { proxyActivities, setCurrentDetails, sleep } from '@temporalio/workflow';

import type { WebhookActivities } from '../activities/webhooks';
import type { DeliverWebhookInput, DeliveryEnd } from '../call/webhook';

/** Tried again for as long as it takes: what it needs, PostgreSQL, comes back. What receivers do is no failure of it. */
const { tryDelivery } = proxyActivities<WebhookActivities>({
  summary: 'Send what is due',
  startToCloseTimeout: '60s',
  heartbeatTimeout: '15s',
  retry: { initialInterval: '1s', maximumInterval: '30s' },
});

/**
 * The story of a webhook: it is sent, and sent again after each wait of the schedule, until its receiver takes it or the
 * schedule is at its end. When the next try is due stands in the delivery's record; the waits between are timers here, so
 * they outlast any worker.
 */
export async function deliverWebhook(input: DeliverWebhookInput): Promise<DeliveryEnd> {
  for (;;) {
    const look = await tryDelivery(input);
    if (look.kind === 'OVER') return look.state;
    setCurrentDetails('waiting for its next try');
    await sleep(look.seconds * 1_000, { summary: 'Until the next try' });
  }
}
