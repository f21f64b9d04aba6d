import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ListeningProvider, listen } from '../../mock-provider/listen';
import { createMockProvider, type MockProvider, type MockProviderOptions } from '../../mock-provider/mock-provider';

export const secret = 'a-secret-for-these-tests';

export interface Webhook {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawBody: string;
  readonly body: Record<string, unknown>;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly received: readonly Webhook[];
  /** Statuses answered to the next webhooks, in order; 200 once they are used up. */
  readonly nextAnswers: number[];
  close(): Promise<void>;
}

export async function startReceiver(): Promise<WebhookReceiver> {
  const received: Webhook[] = [];
  const nextAnswers: number[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const rawBody = Buffer.concat(chunks).toString();
      const body = JSON.parse(rawBody) as Record<string, unknown>;
      received.push({ path: request.url ?? '', headers: request.headers, rawBody, body });
      response.writeHead(nextAnswers.shift() ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}/callbacks/call-status`, received, nextAnswers, close };
}

export interface ProviderUnderTest {
  readonly provider: MockProvider;
  readonly url: string;
  dial(request: Record<string, unknown>, key?: string): Promise<Response>;
  /** Dials and returns the call's id. */
  place(request: Record<string, unknown>, key?: string): Promise<string>;
  look(callId: string): Promise<Record<string, unknown>>;
  hangUp(callId: string): Promise<Response>;
  close(): Promise<void>;
}

/** A provider on a free port; calls last 20 ms and end well unless `decide` says otherwise. */
export async function startProvider(options: Partial<MockProviderOptions> = {}): Promise<ProviderUnderTest> {
  const provider = createMockProvider({
    webhookSecret: secret,
    decide: () => ({ outcome: 'COMPLETED', seconds: 0.02 }),
    webhookRetry: { firstSeconds: 0.02, mostSeconds: 0.05 },
    ...options,
  });
  const server: ListeningProvider = await listen(provider, '127.0.0.1', 0);
  const calls = `${server.url}/api/v1/calls`;
  const dial = (request: Record<string, unknown>, key?: string) =>
    fetch(calls, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...(key === undefined ? {} : { 'Idempotency-Key': key }) },
      body: JSON.stringify(request),
    });
  const place = async (request: Record<string, unknown>, key?: string) => {
    const response = await dial(request, key);
    expect(response.status).toBe(202);
    return ((await response.json()) as { callId: string }).callId;
  };
  const look = async (callId: string) => (await (await fetch(`${calls}/${callId}`)).json()) as Record<string, unknown>;
  const hangUp = (callId: string) => fetch(`${calls}/${callId}/hangup`, { method: 'POST' });
  return { provider, url: server.url, dial, place, look, hangUp, close: () => server.close() };
}

/** Waits until the condition holds; throws when it does not in time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinSeconds = 5,
): Promise<void> {
  const deadline = Date.now() + withinSeconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
