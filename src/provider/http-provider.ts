import { types } from 'node:util';

import { Histogram } from 'prom-client';
import { request, type Dispatcher } from 'undici';
import { z } from 'zod';

import { reportStatuses } from '../call/call';
import { attemptParameter, callbackPath } from '../call/names';
import type { Config } from '../config';
import { momentBuckets, registry } from '../metrics';
import { inStep, noteInSpan, SpanKind, traceHeaders } from '../tracing';
import type { CallState, DialAnswer, DialRequest, Provider } from './provider';

type ProviderSettings = Pick<Config, 'PROVIDER_BASE_URL' | 'PUBLIC_BASE_URL' | 'PROVIDER_TIMEOUT_SECONDS'>;

const dialed = z.object({
  callId: z
    .string()
    .min(1)
    .max(255)
    .refine((id) => id === keepable(id)),
});

/** Strict in what decides, lenient in the rest: an answer that is refused leaves a slot held. */
const state = z.object({
  status: z.string(),
  durationSec: z.unknown().optional(),
  failureReason: z.unknown().optional(),
});

const maxReasonCharacters = 1_000;
const maxDurationSeconds = 2_147_483_647;

/** 4xx answers that concern this moment rather than the call: another attempt may fare better. */
const passingRefusals = [408, 409, 425];

/** Answers of a provider that lacks a route. */
const notSupported = [404, 405, 501];

/** Answers that say that nothing was placed. Other 5xx may come from a gateway behind which the call was placed. */
const notNow = [429, 503];

interface Init {
  headers?: Record<string, string>;
  body?: string;
}

interface ProviderAnswer {
  status: number;
  /** 2xx */
  ok: boolean;
  body: string;
}

type Operation = 'dial' | 'look_up' | 'hang_up';

const requestSeconds = new Histogram({
  name: 'orchestrator_provider_request_duration_seconds',
  help: 'Until the provider answered; outcome is the class of its status, or no_answer',
  labelNames: ['operation', 'outcome'],
  buckets: momentBuckets,
  registers: [registry],
});

/**
 * A provider that speaks the contract's HTTP: dial, look-up, hang-up.
 */
export class HttpProvider implements Provider {
  constructor(private readonly settings: ProviderSettings) {}

  async dial({ attemptId, to, scriptId, metadata }: DialRequest): Promise<DialAnswer> {
    const webhookUrl = `${this.settings.PUBLIC_BASE_URL}${callbackPath}?${attemptParameter}=${attemptId}`;
    try {
      const { status, ok, body } = await this.ask('dial', 'POST', '/api/v1/calls', {
        headers: { 'content-type': 'application/json', 'idempotency-key': attemptId },
        body: JSON.stringify({ to, scriptId, metadata, webhookUrl }),
      });
      if (ok) return accepted(body);
      const reason = `provider answered ${status}${reasonIn(body)}`;
      if (notNow.includes(status)) return { kind: 'BUSY', reason };
      if (status >= 500 || status < 400) return { kind: 'UNKNOWN', reason };
      return { kind: 'REFUSED', reason, final: !passingRefusals.includes(status) };
    } catch (error) {
      // A connection that was never made placed nothing; any other broken exchange may have.
      return {
        kind: isRefusedConnection(error) ? 'BUSY' : 'UNKNOWN',
        reason: `provider not reached: ${causeOf(error)}`,
      };
    }
  }

  async lookUp(externalCallId: string): Promise<CallState> {
    const answer = await this.ask('look_up', 'GET', `/api/v1/calls/${encodeURIComponent(externalCallId)}`);
    if (notSupported.includes(answer.status)) return { kind: 'UNKNOWN' };
    if (!answer.ok) throw new Error(`provider answered ${answer.status} to a look-up`);
    const { status, durationSec, failureReason } = state.parse(JSON.parse(answer.body));
    const ended = reportStatuses.find((known) => known === status);
    if (ended === undefined) return { kind: 'LIVE' };
    return {
      kind: 'ENDED',
      status: ended,
      durationSec: isDuration(durationSec) ? Math.round(durationSec) : null,
      failureReason: typeof failureReason === 'string' ? keepable(failureReason, maxReasonCharacters) : null,
    };
  }

  async hangUp(externalCallId: string): Promise<boolean> {
    const path = `/api/v1/calls/${encodeURIComponent(externalCallId)}/hangup`;
    const { status, ok } = await this.ask('hang_up', 'POST', path);
    if (notSupported.includes(status)) return false;
    if (!ok) throw new Error(`provider answered ${status} to a hang-up`);
    return true;
  }

  private async ask(
    operation: Operation,
    method: Dispatcher.HttpMethod,
    path: string,
    init: Init = {},
  ): Promise<ProviderAnswer> {
    const measured = requestSeconds.startTimer({ operation });
    let outcome = 'no_answer';
    try {
      const response = await inStep(`provider ${operation}`, { kind: SpanKind.CLIENT }, async () => {
        const answer = await this.send(method, path, init);
        noteInSpan({ 'http.response.status_code': answer.statusCode });
        return answer;
      });
      const status = response.statusCode;
      outcome = `${Math.floor(status / 100)}xx`;
      return { status, ok: status >= 200 && status < 300, body: await response.body.text() };
    } finally {
      measured({ outcome });
    }
  }

  /** By `request`, for `fetch` takes four times as much of a core; a redirect is an answer like any other. */
  private send(method: Dispatcher.HttpMethod, path: string, { headers, body }: Init): Promise<Dispatcher.ResponseData> {
    return request(`${this.settings.PROVIDER_BASE_URL}${path}`, {
      method,
      body: body ?? null,
      headers: { 'user-agent': 'call-orchestrator', accept: 'application/json', ...headers, ...traceHeaders() },
      signal: AbortSignal.timeout(this.settings.PROVIDER_TIMEOUT_SECONDS * 1_000),
    });
  }
}

/** A 2xx without a call id placed a call that we cannot name: the same key may bring its name. */
function accepted(body: string): DialAnswer {
  const parsed = dialed.safeParse(parseJson(body));
  if (parsed.success) return { kind: 'ACCEPTED', externalCallId: parsed.data.callId };
  return { kind: 'UNKNOWN', reason: 'provider accepted without a callId' };
}

/** The text as PostgreSQL can store it: without NUL and without half a character. */
function keepable(text: string, maxCharacters = text.length): string {
  return text.replaceAll('\0', '').slice(0, maxCharacters).toWellFormed();
}

function isDuration(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= maxDurationSeconds;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const problem = z.object({
  error: z.string().optional(),
  detail: z.string().optional(),
  message: z.string().optional(),
});

/** The provider's own words, where its answer has any, short enough for `lastError`. */
function reasonIn(body: string): string {
  const parsed = problem.safeParse(parseJson(body));
  const words = parsed.success ? (parsed.data.detail ?? parsed.data.error ?? parsed.data.message) : undefined;
  return words === undefined ? '' : `: ${keepable(words, 200)}`;
}

function isRefusedConnection(error: unknown): boolean {
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].includes(String(codeOf(error)));
}

function causeOf(error: unknown): string {
  if (types.isNativeError(error) && error.message !== '') return error.message;
  // Of a name whose addresses all refused there are no words.
  const code = codeOf(error);
  return typeof code === 'string' ? code : String(error);
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code;
}
