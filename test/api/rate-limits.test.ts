import { createKey } from '../../src/access/keys';
import { startApi, type Answer, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ env: { API_KEYS: 'required', RATE_LIMIT_PER_MINUTE: '5' } });
});
afterAll(() => api.close());

async function holder(rateLimitPerMinute?: number) {
  const { text } = await createKey(api.db, { name: 'limited', access: 'read', rateLimitPerMinute });
  return (method = 'GET', path = '/calls?limit=1'): Promise<Answer> =>
    api.request(method, path, { headers: { Authorization: `Bearer ${text}` } });
}

const told = ({ headers }: Answer) =>
  ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset', 'Retry-After'].map((name) => headers.get(name));

test('each answer to a key tells how much is left, and the first one too many gets 429 and when to come back', async () => {
  const send = await holder();
  for (const left of ['4', '3', '2', '1', '0']) {
    const answer = await send();
    expect(answer.status).toBe(200);
    expect(told(answer)).toEqual(['5', left, expect.stringMatching(/^([1-9]|[1-5]\d|60)$/), null]);
  }
  const refused = await send();
  expect([refused.status, refused.body['code']]).toEqual([429, 'RATE_LIMITED']);
  const [limit, left, reset, retryAfter] = told(refused);
  expect([limit, left, retryAfter]).toEqual(['5', '0', reset]);
  expect(Number(retryAfter)).toBeGreaterThan(0);
});

test('what is refused, wrong or unknown counts as well', async () => {
  const send = await holder(4);
  expect((await send('POST', '/calls')).status).toBe(403);
  expect((await send('GET', '/calls/7')).status).toBe(400);
  expect(told(await send('GET', '/calls?limit=x')).slice(0, 2)).toEqual(['4', '1']);
});

test('of requests at once no more than the limit pass', async () => {
  const send = await holder(7);
  const answers = await Promise.all(Array.from({ length: 40 }, () => send()));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(7);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(33);
});

test('one key that is at its limit takes nothing from another', async () => {
  const [busy, quiet] = [await holder(1), await holder(1)];
  await busy();
  expect((await busy()).status).toBe(429);
  expect((await quiet()).status).toBe(200);
});

test('a key without a limit is told of none', async () => {
  const send = await holder(0);
  const answers = await Promise.all(Array.from({ length: 20 }, () => send()));
  for (const answer of answers) {
    expect(answer.status).toBe(200);
    expect(told(answer)).toEqual([null, null, null, null]);
  }
});

test('what is open to anybody is not counted', async () => {
  for (const path of ['/health', '/ready', '/openapi.json', '/docs', '/unknown']) {
    expect(told(await api.request('GET', path))).toEqual([null, null, null, null]);
  }
});
