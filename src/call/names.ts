/** Names shared with the outside: Temporal's ids, Kafka's topics, the webhook's query. Defined once, here. */

export const taskQueue = 'calls';

export const workflowId = (callId: string): string => `call-${callId}`;

/** @returns the call's id, or undefined where the workflow is not a call's */
export const callIdOfWorkflow = (id: string): string | undefined =>
  id.startsWith('call-') ? id.slice('call-'.length) : undefined;

/** Of its own: a receiver that is slow to answer keeps no call waiting. */
export const webhookTaskQueue = 'webhooks';

/** Each round of a delivery has a workflow of its own, which is started once. */
export const deliveryWorkflowId = (deliveryId: string, round: number): string =>
  round === 1 ? `webhook-${deliveryId}` : `webhook-${deliveryId}-${round}`;

/** @returns the delivery's id, or undefined where the workflow is not a delivery's */
export const deliveryIdOfWorkflow = (id: string): string | undefined =>
  /^webhook-([0-9a-f-]{36})(-\d+)?$/.exec(id)?.[1];

export const topics = {
  requests: 'calls.requests',
  deadLetters: 'calls.requests.dlq',
  events: 'calls.events',
} as const;

export const callbackPath = '/callbacks/call-status';

/** Query parameter of our webhook URL that names the attempt a report is about. */
export const attemptParameter = 'attempt';

/** Search attributes registered by `npm run migrate` from temporal-config/namespace.json. */
export const searchAttributes = {
  status: 'CallStatus',
  scriptId: 'ScriptId',
  attempt: 'CallAttempt',
  outcome: 'CallOutcome',
} as const;
