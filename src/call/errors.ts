/**
 * Every error a client can meet: its stable code, its HTTP status and its title. `api/render-error.ts` is the one place
 * that turns one into an answer.
 */
export const errorCatalogue = {
  INVALID_REQUEST: { status: 400, title: 'The request is not valid' },
  INVALID_JSON: { status: 400, title: 'The body is not valid JSON' },
  INVALID_CSV: { status: 400, title: 'The body is not valid CSV' },
  INVALID_ID: { status: 400, title: 'The id is not a UUID' },
  INVALID_SIGNATURE: { status: 401, title: 'The signature is wrong or stale' },
  UNAUTHENTICATED: { status: 401, title: 'This needs an API key' },
  FORBIDDEN: { status: 403, title: 'This may not be done so' },
  CALL_NOT_FOUND: { status: 404, title: 'No such call' },
  ROUTE_NOT_FOUND: { status: 404, title: 'No such route' },
  WEBHOOK_ENDPOINT_NOT_FOUND: { status: 404, title: 'No such webhook endpoint' },
  WEBHOOK_DELIVERY_NOT_FOUND: { status: 404, title: 'No such webhook delivery' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'This method is not allowed here' },
  REQUEST_TIMEOUT: { status: 408, title: 'The body came too slowly' },
  NUMBER_BUSY: { status: 409, title: 'Call already in progress to this number' },
  IDEMPOTENCY_KEY_REUSED: { status: 409, title: 'This Idempotency-Key was used with another body' },
  IDEMPOTENCY_KEY_IN_FLIGHT: {
    status: 409,
    title: 'The request that came first with this Idempotency-Key is not answered yet',
  },
  CALL_NOT_PENDING: { status: 409, title: 'Only a PENDING call can be changed' },
  CALL_ALREADY_ENDED: { status: 409, title: 'The call has already ended' },
  CALL_NOT_RETRYABLE: { status: 409, title: 'Only a FAILED, EXPIRED or CANCELED call can be retried' },
  CALL_NOT_ENDED: { status: 409, title: 'The call, or one of its lines, has not ended yet' },
  CALL_FORGOTTEN: { status: 409, title: 'The personal data of this call was forgotten' },
  WEBHOOK_ENDPOINT_DISABLED: { status: 409, title: 'The webhook endpoint is disabled or deleted' },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'The body is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body has another media type than it must have' },
  RATE_LIMITED: { status: 429, title: 'Too many requests with this API key' },
  INTERNAL_ERROR: { status: 500, title: 'Something went wrong on our side' },
  DEPENDENCY_UNAVAILABLE: { status: 503, title: 'A service this needs is away' },
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

/** One field that is wrong: `path` from the body's root, dots between names (`metadata.a`). */
export interface FieldError {
  path: string;
  message: string;
}

export interface CallErrorOptions extends ErrorOptions {
  /** Every bad field, for INVALID_REQUEST. */
  errors?: FieldError[];
  /** The call that occupies the number, for NUMBER_BUSY. */
  activeCallId?: string;
}

/** An error with a code from the catalogue. `message` is the answer's `detail`: a sentence for the client. */
export class CallError extends Error {
  override name = 'CallError';
  readonly code: ErrorCode;
  readonly errors: FieldError[] | undefined;
  readonly activeCallId: string | undefined;

  constructor(code: ErrorCode, detail?: string, options: CallErrorOptions = {}) {
    super(detail ?? errorCatalogue[code].title, options);
    this.code = code;
    this.errors = options.errors;
    this.activeCallId = options.activeCallId;
  }
}
