import {
  type ProviderUnderTest,
  startProvider,
  startReceiver,
  until,
  type WebhookReceiver,
} from './provider-under-test';

let receiver: WebhookReceiver;
let provider: ProviderUnderTest;
const request = (to: string, query = '') => ({ to, scriptId: 's', webhookUrl: `${receiver.url}${query}` });
const untilHungUp = { outcome: 'COMPLETED', seconds: Infinity } as const;
const readStats = async () => (await fetch(`${provider.url}/stats`)).json();

beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.close());
afterEach(() => provider.close());

describe('GET /stats', () => {
  it('counts the calls on the line, and the most at once, overall and to one number', async () => {
    provider = await startProvider({ decide: () => untilHungUp });
    const one = await provider.place(request('+966501234567'));
    await provider.hangUp(one);
    await provider.place(request('+966501234567'));
    const second = await provider.place(request('+966501234567'));
    const third = await provider.place(request('+966501234568'));
    await provider.hangUp(second);
    await provider.hangUp(third);
    await until('the webhooks are delivered', () => provider.provider.stats().webhooksSent === 3);
    expect(await readStats()).toEqual({
      active: 1,
      peak: 3,
      peakPerNumber: 2,
      dials: 4,
      duplicateDials: 0,
      replays: 0,
      webhooksSent: 3,
      webhooksPending: 0,
    });
  });

  it('counts an attempt dialled twice where the provider ignores keys', async () => {
    provider = await startProvider({ decide: () => untilHungUp, ignoreIdempotencyKeys: true });
    await provider.place(request('+966501234567'), 'attempt-1');
    await provider.place(request('+966501234567'), 'attempt-1');
    expect(await readStats()).toMatchObject({ dials: 2, duplicateDials: 1, replays: 0, peakPerNumber: 2 });
  });

  it('counts an attempt dialled twice under different keys, known by its webhook URL', async () => {
    provider = await startProvider();
    await provider.place(request('+966501234567', '?attempt=1'), 'key-1');
    await provider.place(request('+966501234567', '?attempt=1'), 'key-2');
    await provider.place(request('+966501234567', '?attempt=2'), 'key-3');
    expect(await readStats()).toMatchObject({ dials: 3, duplicateDials: 1 });
  });

  it('starts anew on request, calls on the line kept', async () => {
    provider = await startProvider({ decide: () => untilHungUp });
    const first = await provider.place(request('+966501234567'));
    await provider.place(request('+966501234567'));
    await provider.hangUp(first);
    await fetch(`${provider.url}/stats/reset`, { method: 'POST' });
    expect(await readStats()).toMatchObject({ active: 1, peak: 1, peakPerNumber: 1, dials: 0 });
  });
});
