import { randomUUID } from 'node:crypto';

import { callSchema } from '../../src/api/schemas';
import { startApi, type Answer, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const forget = (id: string) => api.request('DELETE', `/calls/${id}/personal-data`);
const outcomeOf = ({ status, body }: Answer) => [status, body['code']];

async function canceledCall() {
  const call = await api.acceptCall({ metadata: { name: 'Noura' } });
  await api.request('POST', `/calls/${call.id}/cancel`);
  return call;
}

test('DELETE /calls/:id/personal-data answers with the call, without the person, and hands the rest to the starter', async () => {
  const call = await canceledCall();
  const answer = await forget(call.id);
  expect(answer.status).toBe(200);
  const forgotten = callSchema.parse(answer.body);
  expect(forgotten).toMatchObject({ id: call.id, status: 'CANCELED', payload: { to: 'forgotten', metadata: {} } });
  expect(forgotten.forgottenAt).not.toBeNull();
  expect(api.handedOff.at(-1)).toMatchObject({ id: call.id, handoff: 'FORGET' });

  expect((await forget(call.id)).body).toEqual(answer.body);
  expect((await api.request('GET', `/calls/${call.id}`)).body).toEqual(answer.body);
  const events = await api.request('GET', `/calls/${call.id}/events`);
  expect(events.text).not.toMatch(new RegExp(`Noura|${call.payload.to.slice(1)}`));
  const found = await api.request('GET', `/calls?to=${encodeURIComponent(call.payload.to)}`);
  expect(found.body).toMatchObject({ total: 0 });
});

test('a call that has not ended is refused, and so is what is no call', async () => {
  expect(outcomeOf(await forget((await api.acceptCall()).id))).toEqual([409, 'CALL_NOT_ENDED']);
  expect(outcomeOf(await forget(randomUUID()))).toEqual([404, 'CALL_NOT_FOUND']);
  expect(outcomeOf(await forget('7'))).toEqual([400, 'INVALID_ID']);
});

test('a forgotten call is not retried, and a POST that is repeated gets it as it is now', async () => {
  const headers = { 'Idempotency-Key': 'once' };
  const json = { to: '+966501112233', scriptId: 'testScript' };
  const { body } = await api.request('POST', '/calls', { json, headers });
  const id = String(body['id']);
  await api.request('POST', `/calls/${id}/cancel`);
  await forget(id);
  expect(outcomeOf(await api.request('POST', `/calls/${id}/retry`))).toEqual([409, 'CALL_FORGOTTEN']);
  const again = await api.request('POST', '/calls', { json, headers });
  expect(again.status).toBe(201);
  expect(again.headers.get('Idempotency-Replayed')).toBe('true');
  expect(again.body).toMatchObject({ id, payload: { to: 'forgotten' } });
});
