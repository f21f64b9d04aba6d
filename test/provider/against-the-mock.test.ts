import { HttpProvider } from '../../src/provider/http-provider';
import type { DialRequest } from '../../src/provider/provider';
import {
  startProvider,
  startReceiver,
  until,
  type ProviderUnderTest,
  type WebhookReceiver,
} from '../mock-provider/provider-under-test';

let mock: ProviderUnderTest;
let receiver: WebhookReceiver;
const request: DialRequest = { attemptId: 'attempt-1', to: '+966501234567', scriptId: 's', metadata: {} };

beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await mock.close();
  await receiver.close();
});

const provider = (timeoutSeconds = 5) =>
  new HttpProvider({
    PROVIDER_BASE_URL: mock.url,
    PUBLIC_BASE_URL: new URL(receiver.url).origin,
    PROVIDER_TIMEOUT_SECONDS: timeoutSeconds,
  });

test('a call is placed, reported to the webhook that names its attempt, and found ended', async () => {
  mock = await startProvider();
  const answer = await provider().dial(request);
  if (answer.kind !== 'ACCEPTED') throw new Error(answer.kind);
  await until('reported', () => receiver.received.length === 1);
  expect(receiver.received[0]).toMatchObject({
    path: '/callbacks/call-status?attempt=attempt-1',
    body: { callId: answer.externalCallId, status: 'COMPLETED' },
  });
  expect(await provider().lookUp(answer.externalCallId)).toMatchObject({ kind: 'ENDED', status: 'COMPLETED' });
});

test('a call whose answer was lost is found by the same key, and was dialled once', async () => {
  mock = await startProvider({ decide: () => ({ outcome: 'COMPLETED', seconds: Infinity, answer: { kind: 'lost' } }) });
  expect(await provider().dial(request)).toMatchObject({ kind: 'UNKNOWN' });
  const again = await provider().dial(request);
  if (again.kind !== 'ACCEPTED') throw new Error(again.kind);
  expect(mock.provider.stats()).toMatchObject({ dials: 1, duplicateDials: 0 });
  expect(await provider().lookUp(again.externalCallId)).toEqual({ kind: 'LIVE' });
});

test('a live call that is hung up has ended', async () => {
  mock = await startProvider({ decide: () => ({ outcome: 'COMPLETED', seconds: Infinity }) });
  const answer = await provider().dial(request);
  if (answer.kind !== 'ACCEPTED') throw new Error(answer.kind);
  expect(await provider().hangUp(answer.externalCallId)).toBe(true);
  await until('off the line', async () => (await provider().lookUp(answer.externalCallId)).kind === 'ENDED');
});

test('a provider that lacks look-up and hang-up still places calls', async () => {
  mock = await startProvider({ lookupMissing: 501, hangupMissing: 405 });
  expect(await provider().dial(request)).toMatchObject({ kind: 'ACCEPTED' });
  expect(await provider().lookUp('c')).toEqual({ kind: 'UNKNOWN' });
  expect(await provider().hangUp('c')).toBe(false);
});
