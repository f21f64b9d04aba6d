import { Webhook } from 'standardwebhooks';

import { CallsClient, verifyWebhook, WebhookVerificationError } from '../../src/client';

const secret = (letter: string) => `whsec_${Buffer.from(letter.repeat(24)).toString('base64')}`;
const [old, current, foreign] = [secret('a'), secret('b'), secret('c')];
const body = JSON.stringify({ type: 'call.completed', timestamp: '2026-01-01T00:00:00Z', data: { callId: 'é' } });

function signed(by: string, at = new Date(), content = body) {
  return {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(by).sign('msg_1', at, content),
  };
}

test('a webhook signed with any of the secrets is read, as text or bytes, with headers of fetch or node:http', () => {
  const message = JSON.parse(body) as unknown;
  expect(verifyWebhook(body, signed(current), current)).toEqual(message);
  expect(verifyWebhook(Buffer.from(body), new Headers(signed(old)), [current, old])).toEqual(message);
  expect(CallsClient.verifyWebhook(new TextEncoder().encode(body), signed(current), [current, old])).toEqual(message);
  const headers = { ...signed(current), 'set-cookie': ['a', 'b'], 'x-none': undefined };
  expect(verifyWebhook(body, headers, current)).toEqual(message);
});

test.each([
  ['signed with another secret', body, signed(foreign)],
  ['changed on the way', body.replace('completed', 'failed'), signed(current)],
  ['parsed and written again', JSON.stringify(JSON.parse(body), null, 1), signed(current)],
  ['six minutes old', body, signed(current, new Date(Date.now() - 360_000))],
  ['not signed', body, {}],
])('a webhook that was %s is refused', (_what, content, headers) => {
  expect(() => verifyWebhook(content, headers, [old, current])).toThrow(WebhookVerificationError);
});

test('without a secret nothing is verified', () => {
  expect(() => verifyWebhook(body, signed(current), [])).toThrow(TypeError);
});
