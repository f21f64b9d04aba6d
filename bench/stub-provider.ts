import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

import { Agent, request } from 'undici';

import { signatureHeaders } from '../mock-provider/webhook-sender';
import { knownWebhookSecret } from '../src/config';
import { endWithBench, now, onQuestion, tellReady } from './program';
import type { BenchCall } from './requests';

/**
 * The provider that all systems dial: the contract and nothing else, so that it costs little. A call lasts for its
 * `metadata.seconds`, or until the bench ends it. It keeps a journal, by one clock, of when each call came and ended.
 */
export interface LineEntry {
  dialedAt: number;
  /** When its webhook set out. */
  endedAt?: number;
  /** When the webhook was answered. */
  toldAt?: number;
}

interface Live {
  callId: string;
  webhookUrl: string;
  startedAt: number;
  entry: LineEntry;
}

interface DialBody extends BenchCall {
  webhookUrl: string;
}

const journal: LineEntry[] = [];
const live = new Map<string, Live>();
const callIdsByKey = new Map<string, string>();
const agent = new Agent({ connections: 64, pipelining: 1 });

function dial(body: DialBody, key: string | undefined): string {
  const known = key === undefined ? undefined : callIdsByKey.get(key);
  if (known !== undefined) return known;
  const callId = randomUUID();
  if (key !== undefined) callIdsByKey.set(key, callId);
  const entry: LineEntry = { dialedAt: now() };
  journal.push(entry);
  live.set(callId, { callId, webhookUrl: body.webhookUrl, startedAt: entry.dialedAt, entry });
  const { seconds } = body.metadata;
  if (seconds !== undefined) setTimeout(() => void end(callId), seconds * 1_000);
  return callId;
}

async function end(callId: string): Promise<void> {
  const call = live.get(callId);
  if (!call) return;
  live.delete(callId);
  call.entry.endedAt = now();
  const durationSec = Math.round((call.entry.endedAt - call.startedAt) / 1_000);
  const report = { callId, status: 'COMPLETED', durationSec, completedAt: new Date().toISOString() };
  while (!(await deliver(call.webhookUrl, JSON.stringify(report)))) await pause(1_000);
  call.entry.toldAt = now();
}

async function deliver(url: string, body: string): Promise<boolean> {
  const timestamp = Math.floor(Date.now() / 1_000);
  const headers = {
    'content-type': 'application/json',
    ...signatureHeaders(body, timestamp, knownWebhookSecret, 'timestamp.body'),
  };
  try {
    const { statusCode, body: answer } = await request(url, { method: 'POST', headers, body, dispatcher: agent });
    await answer.dump();
    return statusCode < 300;
  } catch {
    return false;
  }
}

async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const [, callId, action] = /^\/api\/v1\/calls\/?([\w-]*)(\/hangup)?$/.exec(incoming.url ?? '') ?? [];
  const { status, body } = await answerTo(incoming, callId, action);
  outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function answerTo(
  incoming: IncomingMessage,
  callId = '',
  action?: string,
): Promise<{ status: number; body: object }> {
  if (incoming.method === 'POST' && callId === '') {
    let text = '';
    for await (const chunk of incoming) text += String(chunk);
    const key = incoming.headers['idempotency-key'];
    return {
      status: 202,
      body: { callId: dial(JSON.parse(text) as DialBody, typeof key === 'string' ? key : undefined) },
    };
  }
  if (callId === '') return { status: 404, body: { error: 'no such route' } };
  if (action === undefined)
    return { status: 200, body: { callId, status: live.has(callId) ? 'IN_PROGRESS' : 'COMPLETED' } };
  void end(callId);
  return { status: 202, body: { callId } };
}

const server = createServer((incoming, outgoing) => void handle(incoming, outgoing));
// Whoever dials keeps connections for longer than five seconds without using them.
server.keepAliveTimeout = 120_000;

onQuestion('journal', () => ({ entries: journal, live: live.size }));
onQuestion('reset', () => {
  journal.length = 0;
  live.clear();
  callIdsByKey.clear();
  return {};
});
onQuestion<{ kind: 'end'; count: number }>('end', ({ count }) => {
  for (const callId of [...live.keys()].slice(0, count)) void end(callId);
  return {};
});

endWithBench();
server.listen(Number(process.env['STUB_PORT']), '127.0.0.1', tellReady);
