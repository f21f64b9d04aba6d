import { tryDelivery, type TryDeliveryDeps } from './try-delivery';

/** The steps of the webhooks' workflow, which run on a task queue of their own. */
export function createWebhookActivities(deps: TryDeliveryDeps) {
  return { tryDelivery: tryDelivery(deps) };
}

export type WebhookActivities = ReturnType<typeof createWebhookActivities>;
