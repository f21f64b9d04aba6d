import type { DialPlan } from '../../mock-provider/dial-plan';
import {
  type ProviderUnderTest,
  startProvider,
  startReceiver,
  until,
  type WebhookReceiver,
} from './provider-under-test';

let receiver: WebhookReceiver;
let provider: ProviderUnderTest;
const request = () => ({ to: '+966501234567', scriptId: 's', webhookUrl: `${receiver.url}?attempt=1` });
const start = async (plan: Partial<DialPlan>) => {
  provider = await startProvider({ decide: () => ({ outcome: 'COMPLETED', seconds: 0, ...plan }) });
};
const statuses = () => receiver.received.map(({ body }) => body['status']);

beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await provider.close();
  await receiver.close();
});

describe('how a dial is answered', () => {
  it('can be lost after the call was placed; the same key then finds the call', async () => {
    await start({ seconds: Infinity, answer: { kind: 'lost' } });
    await expect(provider.dial(request(), 'attempt-1')).rejects.toThrow();
    expect(provider.provider.stats().dials).toBe(1);
    const callId = await provider.place(request(), 'attempt-1');
    expect((await provider.look(callId))['status']).toBe('IN_PROGRESS');
    expect(provider.provider.stats()).toMatchObject({ dials: 1, replays: 1 });
  });

  it('can be cut before anything was placed', async () => {
    await start({ answer: { kind: 'cut' } });
    await expect(provider.dial(request(), 'attempt-1')).rejects.toThrow();
    expect(provider.provider.stats().dials).toBe(0);
  });

  it('can come late', async () => {
    await start({ answer: { kind: 'accepted', afterSeconds: 0.2 } });
    const began = Date.now();
    await provider.place(request());
    expect(Date.now() - began).toBeGreaterThanOrEqual(190);
  });

  it.each([429, 503, 400])('can be %d, which places nothing and uses up no dial of the number', async (status) => {
    const seen: number[] = [];
    provider = await startProvider({
      decide: ({ nth }) => {
        seen.push(nth);
        const plan = { outcome: 'COMPLETED', seconds: 0 } as const;
        return seen.length > 1 ? plan : { ...plan, answer: { kind: 'refused', status, retryAfterSeconds: 2 } };
      },
    });
    const refused = await provider.dial(request(), 'attempt-1');
    expect([refused.status, refused.headers.get('Retry-After')]).toEqual([status, '2']);
    await provider.place(request(), 'attempt-1');
    expect(seen).toEqual([1, 1]);
    expect(provider.provider.stats()).toMatchObject({ dials: 1, duplicateDials: 0, replays: 0 });
  });

  it('can come after every webhook', async () => {
    const webhookStatuses = ['COMPLETED', 'FAILED', 'COMPLETED'] as const;
    await start({ answer: { kind: 'accepted', afterWebhooks: true }, webhookStatuses });
    await provider.place(request());
    expect(statuses()).toEqual(webhookStatuses);
  });
});

describe('what is reported', () => {
  it('can be sent several times and contradict itself', async () => {
    await start({ webhookStatuses: ['FAILED', 'COMPLETED', 'COMPLETED'] });
    await provider.place(request());
    await until('all have come', () => provider.provider.stats().webhooksSent === 3);
    expect(statuses()).toEqual(['FAILED', 'COMPLETED', 'COMPLETED']);
  });

  it('can be nothing at all', async () => {
    await start({ webhookStatuses: [] });
    const callId = await provider.place(request());
    await until('the call ends', async () => (await provider.look(callId))['status'] === 'COMPLETED');
    expect(provider.provider.stats()).toMatchObject({ active: 0, webhooksSent: 0, webhooksPending: 0 });
    expect(receiver.received).toEqual([]);
  });

  it('can come late and without the query', async () => {
    await start({ webhookAfterSeconds: 0.1, webhookWithoutQuery: true });
    const callId = await provider.place(request());
    await until('the call ends', async () => (await provider.look(callId))['status'] === 'COMPLETED');
    expect(provider.provider.stats().webhooksPending).toBe(1);
    await until('the webhook arrives', () => receiver.received.length === 1);
    expect(receiver.received[0]?.path).toBe('/callbacks/call-status');
  });
});

describe('what a provider may lack', () => {
  it.each([404, 405, 501] as const)('look-up and hang-up can answer %d', async (status) => {
    provider = await startProvider({ lookupMissing: status, hangupMissing: status });
    const callId = await provider.place(request());
    expect((await fetch(`${provider.url}/api/v1/calls/${callId}`)).status).toBe(status);
    expect((await provider.hangUp(callId)).status).toBe(status);
  });
});
