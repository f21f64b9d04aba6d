import type { Call, ErrorCode, Problem } from './answers';

/** Whatever the client throws of itself; a wrong argument is a TypeError, an aborted signal throws its own reason. */
export class CallsError extends Error {
  override name = 'CallsError';
}

export interface CallsApiErrorOptions extends ErrorOptions {
  requestId?: string | undefined;
  retryAfterSeconds?: number | undefined;
  /** What a request is to be sent again with, so that nothing is made twice. */
  idempotencyKey?: string | undefined;
}

/** The service answered, and the answer is an error. */
export class CallsApiError extends CallsError {
  override name = 'CallsApiError';
  /** A stable name to branch on; undefined where something in between answered, such as a proxy. */
  readonly code: ErrorCode | undefined;
  /** By which the service's log names this request. */
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly idempotencyKey: string | undefined;
  /** An earlier try of this request may have been carried out though its answer was lost. */
  afterLostAnswer = false;

  constructor(
    readonly status: number,
    /** The whole answer: `problem.errors` lists every bad field. */
    readonly problem: Problem | undefined,
    message: string,
    options: CallsApiErrorOptions = {},
  ) {
    super(message, options);
    this.code = problem?.code;
    this.requestId = options.requestId;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.idempotencyKey = options.idempotencyKey;
  }
}

/** No answer came: the service cannot be reached, broke off, or took too long. `cause` is the system's error. */
export class CallsConnectionError extends CallsError {
  override name = 'CallsConnectionError';

  constructor(
    message: string,
    /** False where the request surely never reached the service. */
    readonly mayHaveArrived: boolean,
    options?: ErrorOptions & { idempotencyKey?: string | undefined },
  ) {
    super(message, options);
    this.idempotencyKey = options?.idempotencyKey;
  }

  /** What the request is to be sent again with, so that nothing is made twice. */
  readonly idempotencyKey: string | undefined;
}

/** A call that was waited for did not end in time; it goes on. */
export class CallsTimeoutError extends CallsError {
  override name = 'CallsTimeoutError';

  constructor(
    message: string,
    /** As it was last seen. */
    readonly call: Call,
  ) {
    super(message);
  }
}
