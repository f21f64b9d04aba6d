import { createHmac } from 'node:crypto';
import {
  type ProviderUnderTest,
  secret,
  startProvider,
  startReceiver,
  until,
  type WebhookReceiver,
} from './provider-under-test';

let receiver: WebhookReceiver;
let provider: ProviderUnderTest;
const request = () => ({ to: '+966501234567', scriptId: 's', metadata: {}, webhookUrl: `${receiver.url}?attempt=1` });
const hmac = (text: string) => `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`;

beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await provider.close();
  await receiver.close();
});

describe('a webhook', () => {
  it('reports the end to the URL it was given, query included', async () => {
    provider = await startProvider({
      decide: () => ({ outcome: 'NO_ANSWER', seconds: 0, failureReason: 'Nobody picked up' }),
    });
    const callId = await provider.place(request());
    await until('the webhook arrives', () => receiver.received.length === 1);
    const [webhook] = receiver.received;
    expect(webhook?.path).toBe('/callbacks/call-status?attempt=1');
    expect(webhook?.body).toEqual({
      callId,
      status: 'NO_ANSWER',
      durationSec: 0,
      completedAt: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T.*Z$/) as string,
      failureReason: 'Nobody picked up',
    });
  });

  it('is signed over timestamp and raw body', async () => {
    provider = await startProvider();
    await provider.place(request());
    await until('the webhook arrives', () => receiver.received.length === 1);
    const [webhook] = receiver.received;
    const timestamp = String(webhook?.headers['x-webhook-timestamp']);
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(5);
    expect(webhook?.headers['x-webhook-signature']).toBe(hmac(`${timestamp}.${webhook?.rawBody ?? ''}`));
  });

  it('is signed over the body alone where that is set', async () => {
    provider = await startProvider({ webhookSignedContent: 'body' });
    await provider.place(request());
    await until('the webhook arrives', () => receiver.received.length === 1);
    const [webhook] = receiver.received;
    expect(webhook?.headers['x-webhook-signature']).toBe(hmac(webhook?.rawBody ?? ''));
  });

  it('is sent again after a 500 until it is answered with 2xx', async () => {
    provider = await startProvider();
    receiver.nextAnswers.push(500, 500, 202);
    await provider.place(request());
    await until('it was answered well', () => provider.provider.stats().webhooksSent === 1);
    expect(receiver.received).toHaveLength(3);
    expect(new Set(receiver.received.map(({ rawBody }) => rawBody)).size).toBe(1);
    expect(provider.provider.stats().webhooksPending).toBe(0);
  });

  it('waits as pending while nobody listens, and is signed anew when somebody does', async () => {
    provider = await startProvider({ webhookRetry: { firstSeconds: 1.1, mostSeconds: 1.1 } });
    receiver.nextAnswers.push(503);
    await provider.place(request());
    await until('it was refused', () => receiver.received.length === 1);
    expect(provider.provider.stats()).toMatchObject({ webhooksSent: 0, webhooksPending: 1 });
    await until('it came again', () => receiver.received.length === 2);
    const [first, second] = receiver.received.map(({ headers }) => headers['x-webhook-timestamp']);
    expect(Number(second)).toBeGreaterThan(Number(first));
  });
});
