export { applyRetention } from './apply-retention';
export { deliverWebhook } from './deliver-webhook';
export { placeCall } from './place-call';
export { reconcile } from './reconcile';
