export {
  CallsClient,
  type CallsClientOptions,
  type CreateOptions,
  type ListAllOptions,
  type RequestOptions,
} from './calls-client';
export { CallsApiError, CallsConnectionError, CallsError, CallsTimeoutError } from './errors';
export type { Streamed, StreamOptions, StreamRequest } from './event-stream';
export type { ImportOptions } from './many-calls';
export { verifyWebhook, WebhookVerificationError, type WebhookMessage } from './verify-webhook';
export type { WaitOptions } from './wait-until-final';
export type {
  WebhookDelivery,
  WebhookDeliveryFilter,
  WebhookDeliveryWithLog,
  WebhookEndpoint,
  WebhookEndpointChange,
  WebhookEndpointRequest,
  WebhookEndpointWithSecret,
} from './webhooks';
export type {
  Attempt,
  Batch,
  BatchRow,
  Board,
  BoardRequest,
  Call,
  CallChange,
  CallEvent,
  CallEventType,
  CallFilter,
  CallList,
  CallRejectedEvent,
  CallRequest,
  CallStatus,
  Control,
  ErrorCode,
  ImportedRow,
  ImportSummary,
  Json,
  Metadata,
  PageRequest,
  Problem,
  ProviderReport,
  Statistics,
  StatisticsRequest,
  Stats,
} from './answers';
