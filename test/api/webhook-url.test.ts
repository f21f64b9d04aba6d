import { readAcceptedCalls } from '../../src/store/accepted-calls';
import { badFields, freshNumber, startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;

beforeAll(async () => {
  api = await startApi({ env: { WEBHOOK_ALLOWED_NETWORKS: '10.1.0.0/16' } });
});
afterAll(() => api.close());

const webhookUrl = 'https://example.org/webhooks?token=1';

test('a call shows the webhookUrl it was accepted with, and null where it has none', async () => {
  const call = await api.acceptCall({ webhookUrl });
  expect(call.webhookUrl).toBe(webhookUrl);
  expect((await readAcceptedCalls(api.db, [call.id])).get(call.id)).toEqual(call);
  expect((await api.request('GET', `/calls/${call.id}`)).body).toEqual(call);
  expect((await api.acceptCall()).webhookUrl).toBeNull();
});

test('PATCH gives a call another webhookUrl, or takes it away', async () => {
  const { id } = await api.acceptCall({ webhookUrl });
  const patch = (url: string | null) => api.request('PATCH', `/calls/${id}`, { json: { webhookUrl: url } });
  expect((await patch('http://10.1.2.3/in-our-network')).body['webhookUrl']).toBe('http://10.1.2.3/in-our-network');
  expect((await patch(null)).body['webhookUrl']).toBeNull();
});

test.each(['http://127.0.0.1/', 'http://169.254.169.254/latest', 'http://10.2.0.1/', 'ftp://example.org', '', 7, null])(
  'webhookUrl %p is answered 400 that names the field',
  async (url) => {
    const answer = await api.request('POST', '/calls', { json: { to: freshNumber(), scriptId: 's', webhookUrl: url } });
    expect(answer.status).toBe(400);
    expect(badFields(answer)).toEqual(['webhookUrl']);
  },
);

test('the same Idempotency-Key with another webhookUrl is another body; without one it is the same as before', async () => {
  const to = freshNumber();
  const post = (fields: object) =>
    api.request('POST', '/calls', { json: { to, scriptId: 's', ...fields }, headers: { 'Idempotency-Key': to } });
  expect((await post({})).status).toBe(201);
  expect((await post({})).headers.get('Idempotency-Replayed')).toBe('true');
  expect((await post({ webhookUrl })).body['code']).toBe('IDEMPOTENCY_KEY_REUSED');
});
