import { createKey } from '../../src/access/keys';
import type { KeyAccess } from '../../src/call/access';
import { startApi, type ApiUnderTest } from './api-under-test';
import { clear } from './stages';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
beforeEach(() => clear(api.db));
afterAll(() => api.close());

async function pauseNow(): Promise<unknown> {
  return (await api.request('GET', '/control')).body['pause'];
}

async function pausedForPrometheus(): Promise<string | undefined> {
  const { text } = await api.request('GET', '/metrics', { headers: { Accept: 'text/plain' } });
  return /^orchestrator_paused (\d)$/m.exec(text)?.[1];
}

test('a pause is shown with its reason until it is resumed, and both may be repeated', async () => {
  expect([await pauseNow(), await pausedForPrometheus()]).toEqual([null, '0']);
  const { status, body } = await api.request('POST', '/control/pause', { json: { reason: 'wrong script' } });
  expect(status).toBe(200);
  expect(body['pause']).toEqual({ since: expect.any(String) as string, reason: 'wrong script' });
  expect((await api.request('POST', '/control/pause', { json: { reason: 'another' } })).body).toEqual(body);
  expect([await pauseNow(), await pausedForPrometheus()]).toEqual([body['pause'], '1']);
  expect((await api.request('GET', '/board')).body['pause']).toEqual(body['pause']);

  for (let time = 0; time < 2; time++) {
    expect(await api.request('POST', '/control/resume')).toMatchObject({ status: 200, body: { pause: null } });
  }
  expect([await pauseNow(), await pausedForPrometheus()]).toEqual([null, '0']);
});

test('no reason need be given', async () => {
  const { body } = await api.request('POST', '/control/pause');
  expect(body['pause']).toMatchObject({ reason: null });
});

test.each([{ reason: '' }, { reason: 'x'.repeat(201) }, { reason: 'a\0b' }, { reason: null }, { why: 'x' }])(
  'a pause for %j is refused, and is none',
  async (json) => {
    const answer = await api.request('POST', '/control/pause', { json });
    expect([answer.status, answer.body['code']]).toEqual([400, 'INVALID_REQUEST']);
    expect(await pauseNow()).toBeNull();
  },
);

test('each turn of the switch is a line in the log, with why', async () => {
  await api.request('POST', '/control/pause', { json: { reason: 'logged' } });
  await api.request('POST', '/control/pause', { json: { reason: 'logged again' } });
  await api.request('POST', '/control/resume');
  const told = api.logLines.filter(({ msg }) => String(msg).startsWith('dialling is'));
  expect(told.map(({ msg, reason }) => [msg, reason]).slice(-2)).toEqual([
    ['dialling is paused: nothing new is dialled', 'logged'],
    ['dialling is resumed', undefined],
  ]);
});

test('only a key that may administer turns it', async () => {
  const guarded = await startApi({ env: { API_KEYS: 'required' } });
  try {
    const ask = async (access: KeyAccess, method: string, path: string) => {
      const { text } = await createKey(guarded.db, { name: access, access });
      return (await guarded.request(method, path, { headers: { Authorization: `Bearer ${text}` } })).status;
    };
    for (const path of ['/control/pause', '/control/resume']) {
      expect([await ask('write', 'POST', path), await ask('admin', 'POST', path)]).toEqual([403, 200]);
    }
    expect(await ask('read', 'GET', '/control')).toBe(200);
  } finally {
    await guarded.close();
  }
});
