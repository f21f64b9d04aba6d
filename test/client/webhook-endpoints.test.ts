import { CallsApiError, CallsClient, type WebhookDelivery } from '../../src/client';
import { freshNumber, startApi, type ApiUnderTest } from '../api/api-under-test';

let api: ApiUnderTest;
let client: CallsClient;
beforeAll(async () => {
  api = await startApi();
  client = new CallsClient({ baseUrl: api.url });
});
afterAll(() => api.close());

const url = 'https://example.org/webhooks';

test('an endpoint is registered, changed, given a new secret, switched off and on, and deleted', async () => {
  const { webhookEndpoints } = client;
  const { secret, ...made } = await webhookEndpoints.create({ url, eventTypes: ['call.completed'] });
  expect(secret).toMatch(/^whsec_/);
  expect(await webhookEndpoints.get(made.id)).toEqual(made);
  expect(await webhookEndpoints.update(made.id, { description: 'CRM' })).toMatchObject({ description: 'CRM', url });
  const rotated = await webhookEndpoints.rotateSecret(made.id, { keepOldSeconds: 60 });
  expect(rotated.secret).toMatch(/^whsec_/);
  expect(rotated.secret).not.toBe(secret);
  expect((await webhookEndpoints.disable(made.id)).disabledAt).not.toBeNull();
  expect((await webhookEndpoints.enable(made.id)).disabledAt).toBeNull();
  expect((await webhookEndpoints.list()).map(({ id }) => id)).toEqual([made.id]);
  await webhookEndpoints.delete(made.id);
  const gone: unknown = await webhookEndpoints.get(made.id).catch((error: unknown) => error);
  expect(gone).toBeInstanceOf(CallsApiError);
  expect((gone as CallsApiError).code).toBe('WEBHOOK_ENDPOINT_NOT_FOUND');
});

test('the deliveries of a call are listed, read with their log, and ordered anew', async () => {
  const call = await client.create({ to: freshNumber(), scriptId: 'testScript', webhookUrl: url });
  const found: WebhookDelivery[] = [];
  for await (const delivery of client.webhookDeliveries.listAll({ callId: call.id })) found.push(delivery);
  expect(found).toMatchObject([{ callId: call.id, url, eventType: 'call.accepted', state: 'PENDING' }]);
  const [{ id }] = found as [WebhookDelivery];
  expect(await client.webhookDeliveries.get(id)).toEqual({ ...found[0], log: [] });
  expect(await client.webhookDeliveries.redeliver(id)).toMatchObject({ id, webhookId: found[0]?.webhookId });
});
