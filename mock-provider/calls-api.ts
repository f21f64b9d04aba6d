import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import type { Answer, Dial } from './dial-plan';
import type { LineStats } from './line-stats';
import type { CallReport } from './phone-line';

export const dialRequest = z.object({
  to: z.string().regex(/^\+[1-9]\d{6,14}$/, 'must be a number like +966501234567'),
  scriptId: z.string().min(1, 'must not be empty'),
  metadata: z.record(z.string(), z.unknown()).default({}),
  webhookUrl: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }),
});

export type DialRequest = Omit<Dial, 'nth'>;

/** The call that was placed, and how to answer; or an answer to a dial that placed none. */
export interface DialResult {
  readonly callId: string;
  readonly answer: Answer;
  readonly reported: Promise<void>;
}

export interface CallsApi {
  readonly dial: (request: DialRequest) => DialResult;
  readonly find: (callId: string) => CallReport | undefined;
  readonly hangUp: (callId: string) => void;
  readonly stats: () => LineStats;
  readonly resetStats: () => void;
  /** Lets a delayed answer out early when the provider is closed. */
  readonly pause: (seconds: number) => Promise<void>;
  readonly lookupMissing: MissingStatus | undefined;
  readonly hangupMissing: MissingStatus | undefined;
}

export type MissingStatus = 404 | 405 | 501;

interface Env {
  Bindings: HttpBindings;
}

/** The contract's "Provider" section as routes. */
export function createCallsApi(api: CallsApi): Hono<Env> {
  const app = new Hono<Env>();

  app.post('/api/v1/calls', async (c) => {
    const body: unknown = await c.req.json().catch(() => undefined);
    const parsed = dialRequest.safeParse(body);
    if (!parsed.success) return c.json({ error: describeProblems(parsed.error) }, 400);
    const result = api.dial({
      ...parsed.data,
      idempotencyKey: c.req.header('Idempotency-Key'),
      traceparent: c.req.header('traceparent'),
    });
    return answerDial(c, result, api.pause);
  });

  app.get('/api/v1/calls/:callId', (c) => {
    if (api.lookupMissing) return c.json({ error: 'calls cannot be looked up here' }, api.lookupMissing);
    const report = api.find(c.req.param('callId'));
    return report ? c.json(report) : c.json({ error: 'no such call' }, 404);
  });

  app.post('/api/v1/calls/:callId/hangup', (c) => {
    if (api.hangupMissing) return c.json({ error: 'calls cannot be hung up here' }, api.hangupMissing);
    const callId = c.req.param('callId');
    if (!api.find(callId)) return c.json({ error: 'no such call' }, 404);
    api.hangUp(callId);
    return c.json({ callId }, 202);
  });

  app.get('/stats', (c) => c.json(api.stats()));
  app.post('/stats/reset', (c) => {
    api.resetStats();
    return c.json(api.stats());
  });
  app.get('/health', (c) => c.json({ status: 'ok' }));
  app.notFound((c) => c.json({ error: 'no such route' }, 404));
  return app;
}

async function answerDial(c: Context<Env>, result: DialResult, pause: CallsApi['pause']): Promise<Response> {
  const { answer, callId } = result;
  switch (answer.kind) {
    case 'refused': {
      const headers = answer.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(answer.retryAfterSeconds) };
      return Response.json({ error: answer.reason ?? 'refused' }, { status: answer.status, headers });
    }
    case 'cut':
      return cutConnection(c);
    case 'lost':
      await pause(answer.afterSeconds ?? 0);
      return cutConnection(c);
    case 'accepted':
      if (answer.afterWebhooks === true) await result.reported;
      if (answer.afterSeconds !== undefined) await pause(answer.afterSeconds);
      return c.json({ callId }, 202);
  }
}

function cutConnection(c: Context<Env>): Response {
  c.env.incoming.socket.destroy();
  // Hono wants a response; there is no connection left to carry it.
  return c.body(null, 500);
}

function describeProblems(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || 'the body'}: ${issue.message}`).join('; ');
}
