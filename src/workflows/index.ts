export { placeCall } from './place-call';
export { reconcile } from './reconcile';
