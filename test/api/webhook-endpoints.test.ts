import { liveSecrets } from '../../src/webhooks/secrets';
import { badFields, startApi, type Answer, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;

beforeAll(async () => {
  api = await startApi({ env: { WEBHOOK_ALLOWED_NETWORKS: '10.1.0.0/16' } });
});
afterAll(() => api.close());

const url = 'https://example.org/webhooks';
const create = (fields: object = {}): Promise<Answer> =>
  api.request('POST', '/webhook-endpoints', { json: { url, ...fields } });
async function created(fields: object = {}): Promise<string> {
  const { status, body } = await create(fields);
  expect(status).toBe(201);
  return String(body['id']);
}
const act = (id: string, action: string, json?: unknown) =>
  api.request('POST', `/webhook-endpoints/${id}/${action}`, json === undefined ? {} : { json });
const read = async (id: string) => (await api.request('GET', `/webhook-endpoints/${id}`)).body;
const secretsOf = async (id: string) =>
  (await api.db.selectFrom('webhook_endpoints').select('secrets').where('id', '=', id).executeTakeFirstOrThrow())
    .secrets;
const deliveriesTo = async (id: string, query = '') =>
  (await api.request('GET', `/webhook-deliveries?endpointId=${id}${query}`)).body as unknown as {
    deliveries: { id: string; state: string; lastError: string | null; callId: string; tries: number }[];
    nextCursor: string | null;
  };

describe('an endpoint', () => {
  test('shows its secret when it is registered, and never again', async () => {
    const { body, headers } = await create({ description: 'CRM', eventTypes: ['call.completed'] });
    expect(body).toMatchObject({ url, description: 'CRM', eventTypes: ['call.completed'], disabledAt: null });
    const secret = String(body['secret']);
    expect(Buffer.from(secret.replace(/^whsec_/, ''), 'base64')).toHaveLength(32);
    expect(headers.get('Location')).toBe(`/webhook-endpoints/${String(body['id'])}`);
    for (const path of ['', `/${String(body['id'])}`]) {
      expect((await api.request('GET', `/webhook-endpoints${path}`)).text).not.toContain('whsec_');
    }
    expect(JSON.stringify(api.logLines)).not.toContain(secret);
  });

  test('has its changes, and keeps what is not named', async () => {
    const id = await created({ description: 'before' });
    const change = { url: 'http://10.1.2.3/in', eventTypes: null };
    const { body } = await api.request('PATCH', `/webhook-endpoints/${id}`, { json: change });
    expect(body).toMatchObject({ ...change, description: 'before' });
    expect(await read(id)).toEqual(body);
  });

  test.each([
    [{ url: 'http://127.0.0.1/' }, 'url'],
    [{ url: 'ftp://example.org' }, 'url'],
    [{ eventTypes: ['call.exploded'] }, 'eventTypes.0'],
    [{ eventTypes: [] }, 'eventTypes'],
    [{ eventTypes: ['call.failed', 'call.failed'] }, 'eventTypes'],
    [{ description: 'x'.repeat(501) }, 'description'],
    [{ description: 'nul \0' }, 'description'],
    [{ secret: 'whsec_mine' }, 'secret'],
  ])('%j is answered 400 that names %s, when it is registered and when it is changed', async (fields, path) => {
    const id = await created();
    for (const answer of [
      await create(fields),
      await api.request('PATCH', `/webhook-endpoints/${id}`, { json: fields }),
    ]) {
      expect([answer.status, badFields(answer)]).toEqual([400, [path]]);
    }
  });

  test('has a new secret after a rotation, beside the old one for a day, or for as long as asked', async () => {
    const { body } = await create();
    const id = String(body['id']);
    const rotated = await act(id, 'rotate-secret');
    const [now, old] = await secretsOf(id);
    expect(now?.secret).toBe(rotated.body['secret']);
    expect(old?.secret).toBe(body['secret']);
    const seconds = (Date.parse(old?.expiresAt ?? '') - Date.now()) / 1_000;
    expect(Math.abs(seconds - 86_400)).toBeLessThan(60);

    // In an emergency the old ones end at once.
    const { body: last } = await act(id, 'rotate-secret', { keepOldSeconds: 0 });
    expect(liveSecrets(await secretsOf(id))).toEqual([last['secret']]);
    expect(badFields(await act(id, 'rotate-secret', { keepOldSeconds: -1 }))).toEqual(['keepOldSeconds']);
  });

  test('rotated twice at once has both new secrets', async () => {
    const id = await created();
    const answers = await Promise.all([act(id, 'rotate-secret'), act(id, 'rotate-secret')]);
    expect(liveSecrets(await secretsOf(id))).toEqual(expect.arrayContaining(answers.map(({ body }) => body['secret'])));
  });

  test('that is disabled gets nothing more, and what was on its way has FAILED; enabled, it gets what happens then', async () => {
    const id = await created();
    await api.acceptCall();
    const disabled = await act(id, 'disable');
    expect(disabled.body).toMatchObject({ disabledReason: 'by request' });
    await api.acceptCall();
    expect((await deliveriesTo(id)).deliveries).toMatchObject([
      { state: 'FAILED', lastError: 'endpoint disabled: by request' },
    ]);
    expect((await act(id, 'enable')).body).toMatchObject({ disabledAt: null, disabledReason: null });
    await api.acceptCall();
    expect((await deliveriesTo(id)).deliveries.map(({ state }) => state)).toEqual(['PENDING', 'FAILED']);
  });

  test('that is deleted is gone; the log of its deliveries stays', async () => {
    const id = await created();
    await api.acceptCall();
    expect((await api.request('DELETE', `/webhook-endpoints/${id}`)).status).toBe(204);
    expect((await api.request('GET', `/webhook-endpoints/${id}`)).status).toBe(404);
    expect((await deliveriesTo(id)).deliveries).toMatchObject([{ state: 'FAILED', lastError: 'endpoint deleted' }]);
  });
});

describe('deliveries', () => {
  test('are listed newest first, by page, and by endpoint, call and state', async () => {
    const id = await created({ eventTypes: ['call.accepted'] });
    const calls = [await api.acceptCall(), await api.acceptCall(), await api.acceptCall()];
    const first = await deliveriesTo(id, '&limit=2');
    const second = await deliveriesTo(id, `&limit=2&cursor=${first.nextCursor ?? ''}`);
    const listed = [...first.deliveries, ...second.deliveries].map(({ callId }) => callId);
    expect(listed).toEqual(calls.map((call) => call.id).reverse());
    expect(second.nextCursor).toBeNull();
    expect((await deliveriesTo(id, `&callId=${calls[1]?.id ?? ''}`)).deliveries).toHaveLength(1);
    expect((await deliveriesTo(id, '&state=FAILED')).deliveries).toEqual([]);
    expect((await api.request('GET', '/webhook-deliveries?state=LOST')).status).toBe(400);
    expect((await api.request('GET', '/webhook-deliveries?cursor=x')).status).toBe(400);
    expect((await api.request('GET', '/webhook-deliveries?callId=7')).status).toBe(400);
  });

  test('are delivered anew whatever became of them, in a round of their own', async () => {
    const id = await created({ eventTypes: ['call.accepted'] });
    await api.acceptCall();
    const [delivery] = (await deliveriesTo(id)).deliveries;
    const row = () =>
      api.db.selectFrom('webhook_deliveries').selectAll().where('id', '=', delivery!.id).executeTakeFirstOrThrow();
    for (const state of ['DELIVERED', 'FAILED', 'PENDING'] as const) {
      const set = { state, started_at: new Date(), ended_at: new Date(), round_tries: 3, tries: 3, last_error: 'why' };
      await api.db.updateTable('webhook_deliveries').set(set).where('id', '=', delivery!.id).execute();
      const { round } = await row();
      const { body } = await api.request('POST', `/webhook-deliveries/${delivery!.id}/redeliver`);
      expect(body).toMatchObject({ state: 'PENDING', tries: 3, lastError: null, endedAt: null });
      expect(await row()).toMatchObject({ round: round + 1, started_at: null, round_tries: 0 });
    }
  });
});
