import type { Problem } from './answers';
import { CallsApiError, CallsConnectionError } from './errors';
import { longestRetryAfterSeconds, pause, pauseSeconds, retryAfterSeconds } from './pauses';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface TransportOptions {
  baseUrl: string;
  apiKey: string | undefined;
  retries: number;
  timeoutSeconds: number;
  fetch: Fetch;
}

export interface ApiRequest {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  query?: URLSearchParams;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  body?: string | Uint8Array | Blob;
  /** False for what would be done twice if it were sent twice: it is then sent again only where it surely did nothing. */
  repeatable?: boolean;
  signal?: AbortSignal | undefined;
  /** In place of the client's own. */
  timeoutSeconds?: number;
}

/** Errors of connecting: nothing was sent. */
const unreached = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'];

/** HTTP with retries: every request the client makes goes through here. */
export class Transport {
  constructor(private readonly options: TransportOptions) {}

  get retries(): number {
    return this.options.retries;
  }

  /** @returns the answer's JSON */
  async json<Answer>(request: ApiRequest): Promise<Answer> {
    return (await this.withRetries(request, (answer) => this.readJson(answer))) as Answer;
  }

  /** @returns the answer's body as it comes; only its beginning must come in time, and only until then is it tried again */
  async stream(request: ApiRequest): Promise<ReadableStream<Uint8Array>> {
    return this.withRetries(request, ({ body }) => {
      if (!body) throw new CallsConnectionError(`${this.options.baseUrl} answered without a body`, true);
      return Promise.resolve(body as ReadableStream<Uint8Array>);
    });
  }

  private async withRetries<Answer>(
    request: ApiRequest,
    read: (response: Response) => Promise<Answer>,
  ): Promise<Answer> {
    for (let tries = 1, lostAnswer = false; ; tries++) {
      try {
        return await this.once(request, read);
      } catch (error) {
        if (error instanceof CallsApiError) error.afterLostAnswer = lostAnswer;
        const wait = tries > this.options.retries ? undefined : secondsUntilNextTry(error, request, tries);
        if (wait === undefined) throw error;
        lostAnswer ||= mayHaveBeenDone(error);
        await pause(wait, request.signal);
      }
    }
  }

  private async once<Answer>(request: ApiRequest, read: (response: Response) => Promise<Answer>): Promise<Answer> {
    const { timeoutSeconds = this.options.timeoutSeconds } = request;
    const { signal, timeoutReached, done } = deadline(timeoutSeconds, request.signal);
    try {
      const response = await this.options.fetch(this.urlOf(request), this.initOf(request, signal));
      if (!response.ok) throw await apiErrorOf(response, keyOf(request));
      return await read(response);
    } catch (error) {
      if (error instanceof CallsApiError || error instanceof CallsConnectionError) throw error;
      if (timeoutReached()) throw this.noAnswer(`gave no answer within ${timeoutSeconds} s`, error, request);
      request.signal?.throwIfAborted();
      throw this.noAnswer(reasonOf(error), error, request);
    } finally {
      done();
    }
  }

  private urlOf({ path, query }: ApiRequest): string {
    const search = query?.toString() ?? '';
    return `${this.options.baseUrl}${path}${search === '' ? '' : `?${search}`}`;
  }

  private initOf({ method = 'GET', headers, json, body }: ApiRequest, signal: AbortSignal): RequestInit {
    const { apiKey } = this.options;
    return {
      method,
      headers: {
        Accept: 'application/json, application/problem+json',
        ...(apiKey !== undefined && { Authorization: `Bearer ${apiKey}` }),
        ...(json !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      // Node's types and the browser's each have a name of their own for what these are.
      ...(body !== undefined && { body: body as NonNullable<RequestInit['body']>, duplex: 'half' }),
      signal,
      // The API sends nobody elsewhere, and a key must not follow there.
      redirect: 'error',
    };
  }

  private async readJson(response: Response): Promise<unknown> {
    if (response.status === 204) return undefined;
    const text = await response.text();
    try {
      return JSON.parse(text);
    } catch (error) {
      const message = `${this.options.baseUrl} answered ${response.status} with what is not JSON: is this the service's URL?`;
      throw new CallsApiError(response.status, undefined, message, { cause: error });
    }
  }

  private noAnswer(reason: string, error: unknown, request: ApiRequest): CallsConnectionError {
    return new CallsConnectionError(`${this.options.baseUrl} ${reason}`, !unreached.includes(codeOf(error)), {
      cause: error,
      idempotencyKey: keyOf(request),
    });
  }
}

/** The caller's signal holds for as long as the answer is read, the time limit only until `done`. */
function deadline(seconds: number, outer: AbortSignal | undefined) {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), seconds * 1_000);
  return {
    signal: outer ? AbortSignal.any([outer, timeout.signal]) : timeout.signal,
    timeoutReached: () => timeout.signal.aborted,
    done: () => clearTimeout(timer),
  };
}

function keyOf({ headers }: ApiRequest): string | undefined {
  return headers?.['Idempotency-Key'];
}

/** @returns undefined where another try may not be made, or would not help */
function secondsUntilNextTry(error: unknown, { repeatable = true }: ApiRequest, tries: number): number | undefined {
  if (error instanceof CallsConnectionError) {
    return repeatable || !error.mayHaveArrived ? pauseSeconds(tries) : undefined;
  }
  if (!(error instanceof CallsApiError)) return undefined;
  const refusedUndone = error.status === 429;
  const passing =
    error.code === 'IDEMPOTENCY_KEY_IN_FLIGHT' || error.status === 408 || (error.status >= 500 && error.status !== 501);
  if (!refusedUndone && !(passing && repeatable)) return undefined;
  const asked = error.retryAfterSeconds ?? 0;
  return asked > longestRetryAfterSeconds ? undefined : Math.max(asked, pauseSeconds(tries));
}

function mayHaveBeenDone(error: unknown): boolean {
  if (error instanceof CallsConnectionError) return error.mayHaveArrived;
  return error instanceof CallsApiError && error.status !== 429;
}

/** An error answer that is none of the service's own comes from something in between. */
async function apiErrorOf(response: Response, idempotencyKey: string | undefined): Promise<CallsApiError> {
  const text = await response.text().catch(() => '');
  const problem = problemIn(text);
  const message = problem?.detail ?? `${response.status} ${response.statusText} from ${response.url}`.trim();
  return new CallsApiError(response.status, problem, message, {
    requestId: response.headers.get('X-Request-Id') ?? undefined,
    retryAfterSeconds: retryAfterSeconds(response.headers.get('Retry-After')),
    idempotencyKey,
  });
}

function problemIn(text: string): Problem | undefined {
  try {
    const body = JSON.parse(text) as Partial<Problem> | null;
    return typeof body?.code === 'string' && typeof body.detail === 'string' ? (body as Problem) : undefined;
  } catch {
    return undefined;
  }
}

/** `fetch` says no more than "fetch failed"; what happened is in its cause. */
export function reasonOf(error: unknown): string {
  const words: Record<string, string> = {
    ECONNREFUSED: 'refuses connections',
    ENOTFOUND: 'is a host that is not known',
    EAI_AGAIN: 'is a host whose name cannot be looked up now',
    ECONNRESET: 'broke off the connection',
    UND_ERR_SOCKET: 'broke off the connection',
  };
  return words[codeOf(error)] ?? `cannot be reached: ${String(causeOf(error)['message'] ?? error)}`;
}

/** By its shape: an error of another realm, such as a test runner's, is no instance of ours. */
function causeOf(error: unknown): Partial<Record<string, unknown>> {
  const shape = (typeof error === 'object' ? error : null) as Partial<Record<string, unknown>> | null;
  return typeof shape?.['cause'] === 'object' && shape['cause'] ? causeOf(shape['cause']) : (shape ?? {});
}

function codeOf(error: unknown): string {
  const { code } = causeOf(error);
  return typeof code === 'string' ? code : '';
}
