import type { Attempt, Call, CallEvent, ProviderReport } from '../../client/answers';
import type { WebhookDelivery } from '../../client/webhooks';
import { service } from '../service/session';

export interface Story {
  call: Call;
  attempts: Attempt[];
  events: CallEvent[];
  reports: ProviderReport[];
  deliveries: WebhookDelivery[];
}

const deliveriesAtMost = 200;

export async function loadStory(id: string, signal: AbortSignal): Promise<Story> {
  const client = service.value;
  const [call, attempts, events, reports, deliveries] = await Promise.all([
    client.get(id, { signal }),
    client.attempts(id, { signal }),
    client.events(id, { signal }),
    client.reports(id, { signal }),
    deliveriesOf(id, signal),
  ]);
  return { call, attempts, events, reports, deliveries };
}

/** Oldest first. */
async function deliveriesOf(callId: string, signal: AbortSignal): Promise<WebhookDelivery[]> {
  const deliveries: WebhookDelivery[] = [];
  for await (const delivery of service.value.webhookDeliveries.listAll({ callId }, { signal })) {
    deliveries.push(delivery);
    if (deliveries.length === deliveriesAtMost) break;
  }
  return deliveries.reverse();
}
