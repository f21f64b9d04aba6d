import type {
  Attempt,
  Batch,
  BatchRow,
  Board,
  BoardRequest,
  Call,
  CallChange,
  CallEvent,
  CallFilter,
  CallList,
  CallRejectedEvent,
  CallRequest,
  Control,
  ImportSummary,
  PageRequest,
  ProviderReport,
  Statistics,
  StatisticsRequest,
  Stats,
} from './answers';
import { jsonLinesOf, partsOf } from './body-stream';
import { CallsApiError } from './errors';
import { eventStream, type Streamed, type StreamOptions, type StreamRequest } from './event-stream';
import { newIdempotencyKey } from './idempotency-key';
import { createBatch, importCsv, type ImportOptions } from './many-calls';
import { queryOf } from './query';
import { Transport, type Fetch } from './transport';
import { verifyWebhook } from './verify-webhook';
import { waitUntilFinal, type WaitOptions } from './wait-until-final';
import { WebhookDeliveries, WebhookEndpoints } from './webhooks';

export interface CallsClientOptions {
  /** Where the service is, such as `http://127.0.0.1:3000`. */
  baseUrl: string;
  /** Where the service asks for one. */
  apiKey?: string | undefined;
  /** How often a request is sent again that got no answer, or one that will pass: 408, 429, 5xx. By itself 4. */
  retries?: number | undefined;
  /** For one try of a request. By itself 30. */
  timeoutSeconds?: number | undefined;
  /** In place of the global one: for proxies, certificates, or tests. */
  fetch?: Fetch | undefined;
}

export interface RequestOptions {
  signal?: AbortSignal | undefined;
}

export interface ListAllOptions extends RequestOptions {
  /** At most so many. */
  limit?: number | undefined;
}

export interface CreateOptions extends RequestOptions {
  /** Yours, to make the request safe to repeat also from another process. One is made for each request without. */
  idempotencyKey?: string | undefined;
}

/**
 * The API of the AI Call Orchestrator.
 *
 * Every method throws `CallsApiError` for an answer that is an error, `CallsConnectionError` where none came, and the
 * reason of its signal where that was aborted.
 */
export class CallsClient {
  static readonly verifyWebhook = verifyWebhook;

  private readonly transport: Transport;
  readonly webhookEndpoints: WebhookEndpoints;
  readonly webhookDeliveries: WebhookDeliveries;

  /** @throws TypeError for a `baseUrl` that is none, or an `apiKey` that no header can carry */
  constructor({ baseUrl, apiKey, retries = 4, timeoutSeconds = 30, fetch = globalThis.fetch }: CallsClientOptions) {
    this.transport = new Transport({
      baseUrl: checkedUrl(baseUrl),
      apiKey: checkedKey(apiKey),
      retries,
      timeoutSeconds,
      fetch,
    });
    this.webhookEndpoints = new WebhookEndpoints(this.transport);
    this.webhookDeliveries = new WebhookDeliveries(this.transport);
  }

  /**
   * Accepts a call. It is sent with an Idempotency-Key, so that however often it must be sent, one call is made.
   *
   * @throws CallsApiError NUMBER_BUSY with `problem.activeCallId`, INVALID_REQUEST with `problem.errors`, …
   */
  async create(
    request: CallRequest,
    { idempotencyKey = newIdempotencyKey(), signal }: CreateOptions = {},
  ): Promise<Call> {
    const headers = { 'Idempotency-Key': idempotencyKey };
    return this.transport.json({ method: 'POST', path: '/calls', json: request, headers, signal });
  }

  /** Up to 1,000 calls at once, with an answer for each row; a repeated key makes no second call of any. */
  async createBatch(calls: readonly BatchRow[], options: CreateOptions = {}): Promise<Batch> {
    return createBatch(this.transport, calls, options);
  }

  /**
   * The calls of a CSV file of up to 100,000 rows. A `Blob`, such as `fs.openAsBlob` gives, is read as it is sent. Where it breaks off, the error has the `idempotencyKey` by which the
   * file is sent again without making a second call of any row.
   */
  async importCsv(csv: string | Uint8Array | Blob, options: ImportOptions = {}): Promise<ImportSummary> {
    return importCsv(this.transport, csv, options);
  }

  /** @throws CallsApiError CALL_NOT_FOUND */
  async get(id: string, { signal }: RequestOptions = {}): Promise<Call> {
    return this.transport.json({ path: pathOf(id), signal });
  }

  /** One page, newest first. */
  async list(request: PageRequest = {}, { signal }: RequestOptions = {}): Promise<CallList> {
    return this.transport.json({ path: '/calls', query: queryOf({ ...request }), signal });
  }

  /** Every call that matches, newest first, however many: pages are fetched as the iteration comes to them. */
  async *listAll(
    filter: CallFilter = {},
    { signal, limit = Number.POSITIVE_INFINITY }: ListAllOptions = {},
  ): AsyncGenerator<Call, void, undefined> {
    let cursor: string | null | undefined;
    for (let left = limit; left > 0 && cursor !== null;) {
      const page: CallList = await this.list({ ...filter, limit: Math.min(left, 100), cursor }, { signal });
      yield* page.calls;
      left -= page.calls.length;
      cursor = page.nextCursor;
    }
  }

  /** Every call that matches, newest first, in one answer of any length: quicker than pages where there are many. */
  async *exportCalls(filter: CallFilter = {}, { signal }: RequestOptions = {}): AsyncGenerator<Call, void, undefined> {
    yield* jsonLinesOf<Call>(this.exportFile('ndjson', filter, { signal }));
  }

  /** The same as the bytes of a file. */
  async *exportFile(
    format: 'csv' | 'ndjson',
    filter: CallFilter = {},
    { signal }: RequestOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const query = queryOf({ ...filter, format });
    const headers = { Accept: '*/*' };
    yield* partsOf(await this.transport.stream({ path: '/calls/export', query, headers, signal }), signal);
  }

  /** Those that held a slot, oldest first. */
  async attempts(id: string, { signal }: RequestOptions = {}): Promise<Attempt[]> {
    const { attempts } = await this.transport.json<{ attempts: Attempt[] }>({ path: pathOf(id, 'attempts'), signal });
    return attempts;
  }

  /** The call's whole timeline. */
  async events(id: string, { signal }: RequestOptions = {}): Promise<CallEvent[]> {
    const { events } = await this.transport.json<{ events: CallEvent[] }>({ path: pathOf(id, 'events'), signal });
    return events;
  }

  /** What the provider has reported, in order of arrival. */
  async reports(id: string, { signal }: RequestOptions = {}): Promise<ProviderReport[]> {
    const { reports } = await this.transport.json<{ reports: ProviderReport[] }>({
      path: pathOf(id, 'reports'),
      signal,
    });
    return reports;
  }

  /** Changes a PENDING call. @throws CallsApiError CALL_NOT_PENDING, NUMBER_BUSY, … */
  async update(id: string, change: CallChange, { signal }: RequestOptions = {}): Promise<Call> {
    return this.transport.json({ method: 'PATCH', path: pathOf(id), json: change, signal });
  }

  /** Withdraws a call that has not ended; a live line is hung up. @throws CallsApiError CALL_ALREADY_ENDED */
  async cancel(id: string, { signal }: RequestOptions = {}): Promise<Call> {
    try {
      return await this.transport.json<Call>({ method: 'POST', path: pathOf(id, 'cancel'), signal });
    } catch (error) {
      // The try whose answer was lost may have canceled it: then this is what was asked for.
      if (!(error instanceof CallsApiError && error.afterLostAnswer && error.code === 'CALL_ALREADY_ENDED'))
        throw error;
      const call = await this.get(id, { signal });
      if (call.status !== 'CANCELED') throw error;
      return call;
    }
  }

  /**
   * Starts a FAILED, EXPIRED or CANCELED call again with fresh attempts. Not sent again where it may have been carried
   * out: the call could have ended anew meanwhile, and would be made once more.
   *
   * @throws CallsApiError CALL_NOT_RETRYABLE, NUMBER_BUSY
   */
  async retry(id: string, { signal }: RequestOptions = {}): Promise<Call> {
    return this.transport.json({ method: 'POST', path: pathOf(id, 'retry'), repeatable: false, signal });
  }

  /**
   * Forgets the person in a call that is over: number, metadata, free texts. What is forgotten cannot be had back; safe to
   * repeat.
   *
   * @throws CallsApiError CALL_NOT_ENDED
   */
  async forget(id: string, { signal }: RequestOptions = {}): Promise<Call> {
    return this.transport.json({ method: 'DELETE', path: pathOf(id, 'personal-data'), signal });
  }

  /** Calls by status, slots by use. */
  async stats({ signal }: RequestOptions = {}): Promise<Stats> {
    return this.transport.json({ path: '/metrics', signal });
  }

  /** Who is on each slot, and one page of those who wait, in the order in which they will be served. */
  async board(request: BoardRequest = {}, { signal }: RequestOptions = {}): Promise<Board> {
    return this.transport.json({ path: '/board', query: queryOf({ ...request }), signal });
  }

  /** What became of calls, how long they lasted and waited, and why they failed. */
  async statistics(request: StatisticsRequest = {}, { signal }: RequestOptions = {}): Promise<Statistics> {
    return this.transport.json({ path: '/statistics', query: queryOf({ ...request }), signal });
  }

  /** Whether dialling is paused, since when and why. */
  async control({ signal }: RequestOptions = {}): Promise<Control> {
    return this.transport.json({ path: '/control', signal });
  }

  /** From now on nothing new is dialled; calls on the line go on. Safe to repeat: the pause that is on stays as it is. */
  async pause(reason?: string, { signal }: RequestOptions = {}): Promise<Control> {
    const json = reason === undefined ? {} : { reason };
    return this.transport.json({ method: 'POST', path: '/control/pause', json, signal });
  }

  /** Calls are dialled again, those that wait in their order. */
  async resume({ signal }: RequestOptions = {}): Promise<Control> {
    return this.transport.json({ method: 'POST', path: '/control/resume', signal });
  }

  /**
   * What happens to all calls from now on, or from right after `lastEventId`, until the iteration is left. What no call was
   * made of is an event too: its `callId` is null.
   */
  stream({ types, status, to, scriptId, ...options }: StreamRequest = {}): AsyncGenerator<
    Streamed<CallEvent | CallRejectedEvent>,
    void,
    undefined
  > {
    const query = queryOf({ type: types, status, to, scriptId });
    return eventStream(this.transport, { path: '/calls/stream', query }, options);
  }

  /** A call's timeline from its beginning, then what happens to it, until the iteration is left. */
  streamCall(id: string, options: StreamOptions = {}): AsyncGenerator<Streamed<CallEvent>, void, undefined> {
    return eventStream(this.transport, { path: pathOf(id, 'stream') }, options);
  }

  /**
   * @returns the call once it is COMPLETED, FAILED, EXPIRED or CANCELED
   * @throws CallsTimeoutError with the call as it was last seen
   */
  waitUntilFinal(id: string, options: WaitOptions = {}): Promise<Call> {
    return waitUntilFinal(this, id, options);
  }
}

function pathOf(id: string, part?: string): string {
  // An empty id would make another path of it.
  if (id === '') throw new TypeError('The id of a call is empty');
  return `/calls/${encodeURIComponent(id)}${part === undefined ? '' : `/${part}`}`;
}

function checkedUrl(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new TypeError(`baseUrl must be a URL starting with http:// or https://, not "${baseUrl}"`);
  }
  // `fetch` refuses such a URL and quotes it.
  if (url.username !== '' || url.password !== '') throw new TypeError('baseUrl must hold no user and password');
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

function checkedKey(apiKey: string | undefined): string | undefined {
  // Not quoted: it is a secret.
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) throw new TypeError('apiKey must be visible ASCII');
  return apiKey === '' ? undefined : apiKey;
}
