/** What is promised of a webhook, and how far it has come. FAILED: given up; it can be delivered anew. */
export const webhookDeliveryStates = ['PENDING', 'DELIVERED', 'FAILED'] as const;
export type WebhookDeliveryState = (typeof webhookDeliveryStates)[number];
