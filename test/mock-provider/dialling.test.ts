import {
  type ProviderUnderTest,
  startProvider,
  startReceiver,
  until,
  type WebhookReceiver,
} from './provider-under-test';

let receiver: WebhookReceiver;
let provider: ProviderUnderTest;
const request = (to = '+966501234567') => ({ to, scriptId: 'testScript', metadata: {}, webhookUrl: receiver.url });

beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.close());
afterEach(() => provider.close());

describe('a dial', () => {
  it('is accepted, shows as in progress, and then shows its end', async () => {
    let seconds = Infinity;
    provider = await startProvider({
      decide: () => ({ outcome: 'BUSY', seconds, failureReason: 'The line was busy' }),
    });
    const live = await provider.place(request(), 'attempt-1');
    expect(await provider.look(live)).toEqual({ callId: live, status: 'IN_PROGRESS' });

    seconds = 0.1;
    const callId = await provider.place(request(), 'attempt-2');
    await until('the call ends', async () => (await provider.look(callId))['status'] === 'BUSY');
    expect(await provider.look(callId)).toEqual({
      callId,
      status: 'BUSY',
      durationSec: 0,
      failureReason: 'The line was busy',
    });
  });

  it('repeated under its key gets the same call and places no second one', async () => {
    provider = await startProvider();
    const callIds = await Promise.all(['k', 'k', 'k'].map((key) => provider.place(request(), key)));
    expect(new Set(callIds).size).toBe(1);
    expect(provider.provider.stats()).toMatchObject({ dials: 1, replays: 2, duplicateDials: 0 });
  });

  it('without a key is placed every time', async () => {
    provider = await startProvider();
    const callIds = await Promise.all([provider.place(request()), provider.place(request())]);
    expect(new Set(callIds).size).toBe(2);
    expect(provider.provider.stats()).toMatchObject({ dials: 2, duplicateDials: 0 });
  });

  it.each([
    ['no body', undefined, 'the body'],
    ['a number without its plus', { to: '966501234567' }, 'to'],
    ['no script', { scriptId: undefined }, 'scriptId'],
    ['a webhook URL that is none', { webhookUrl: 'nowhere' }, 'webhookUrl'],
    ['metadata that is no object', { metadata: [] }, 'metadata'],
  ])('with %s is refused with the reason', async (_, change, named) => {
    provider = await startProvider();
    const response = await fetch(`${provider.url}/api/v1/calls`, {
      method: 'POST',
      body: change ? JSON.stringify({ ...request(), ...change }) : '{bad',
    });
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toContain(`${named}:`);
    expect(provider.provider.stats().dials).toBe(0);
  });
});

describe('a look-up or hang-up of an unknown call', () => {
  it('is answered 404', async () => {
    provider = await startProvider();
    expect((await fetch(`${provider.url}/api/v1/calls/unknown`)).status).toBe(404);
    expect((await provider.hangUp('unknown')).status).toBe(404);
  });
});

describe('hanging up', () => {
  it('ends a live call at once, sends its webhook, and does no harm when repeated', async () => {
    provider = await startProvider({ decide: () => ({ outcome: 'COMPLETED', seconds: Infinity }) });
    const callId = await provider.place(request());
    expect((await provider.hangUp(callId)).status).toBe(202);
    expect((await provider.hangUp(callId)).status).toBe(202);
    const end = { callId, status: 'FAILED', failureReason: 'hung up' };
    expect(await provider.look(callId)).toMatchObject(end);
    await until('its webhook is delivered', () => provider.provider.stats().webhooksPending === 0);
    const webhooks = receiver.received.filter(({ body }) => body['callId'] === callId);
    expect(webhooks.map(({ body }) => body)).toEqual([expect.objectContaining(end)]);
  });

  it('leaves a call that has ended as it ended', async () => {
    provider = await startProvider();
    const callId = await provider.place(request());
    await until('the call ends', async () => (await provider.look(callId))['status'] === 'COMPLETED');
    expect((await provider.hangUp(callId)).status).toBe(202);
    expect((await provider.look(callId))['status']).toBe('COMPLETED');
  });
});
