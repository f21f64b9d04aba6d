import { createServer } from 'node:http';
import type { LookupAddress } from 'node:dns';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';

import { readConfig } from '../../src/config';
import type { Resolve } from '../../src/webhooks/checked-lookup';
import { newSecret } from '../../src/webhooks/secrets';
import { WebhookSender, type Answer } from '../../src/webhooks/webhook-sender';
import { Receiver } from './receiver';

const { secret } = newSecret();
let receiver: Receiver;
const opened: { close: () => unknown }[] = [];

beforeEach(async () => {
  receiver = await Receiver.open(secret);
});
afterEach(async () => {
  await receiver.close();
  for (const one of opened.splice(0)) await one.close();
});

function senderTo(networks: string, resolve?: Resolve, timeoutSeconds = '2'): WebhookSender {
  const env = { WEBHOOK_ALLOWED_NETWORKS: networks, WEBHOOK_TIMEOUT_SECONDS: timeoutSeconds };
  const sender = new WebhookSender(readConfig(env), resolve);
  opened.push(sender);
  return sender;
}

const loopback = '127.0.0.0/8';
const send = (sender: WebhookSender, url: string): Promise<Answer> =>
  sender.send({ url, id: 'msg_1', body: '{"type":"call.updated"}', secrets: [secret] });
const port = () => new URL(receiver.url()).port;
const resolvesTo =
  (...addresses: string[]): Resolve =>
  (_hostname, _options, callback) =>
    callback(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

/** A server that does with a connection what it likes. */
async function rawServer(onConnection: Parameters<typeof createTcpServer>[1]): Promise<string> {
  const server: Server = createTcpServer({}, onConnection);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const forbidden = { status: null, error: expect.stringContaining('WEBHOOK_ALLOWED_NETWORKS') as unknown };

test('what is sent is what the published library takes for ours', async () => {
  expect(await send(senderTo(loopback), receiver.url('/in?x=1'))).toMatchObject({ status: 204, error: null });
  const [received] = receiver.received;
  expect(received).toMatchObject({ path: '/in?x=1', id: 'msg_1', verifiedBy: [secret] });
  expect(received?.headers).toMatchObject({ 'content-type': 'application/json' });
  expect(Math.abs(Number(received?.headers['webhook-timestamp']) - Date.now() / 1_000)).toBeLessThan(5);
});

describe('nobody reaches what webhooks may not go to', () => {
  test.each(['127.0.0.1', '[::ffff:127.0.0.1]', '2130706433'])('by the address %s', async (host) => {
    expect(await send(senderTo(''), `http://${host}:${port()}/`)).toMatchObject(forbidden);
  });

  test('by a name that really resolves to this machine', async () => {
    expect(await send(senderTo(''), `http://localhost:${port()}/`)).toMatchObject(forbidden);
  });

  test('by a name that resolves to a public address and to one of ours', async () => {
    const sender = senderTo('', resolvesTo('8.8.8.8', '127.0.0.1'));
    expect(await send(sender, `http://both.example:${port()}/`)).toMatchObject(forbidden);
  });

  test('by a redirect', async () => {
    const redirecting = createServer((_, response) => response.writeHead(307, { location: receiver.url() }).end());
    await new Promise<void>((resolve) => redirecting.listen(0, '127.0.0.1', resolve));
    opened.push({ close: () => redirecting.close() });
    const { port: at } = redirecting.address() as AddressInfo;
    const answer = await send(senderTo(loopback), `http://127.0.0.1:${at}/`);
    expect(answer).toMatchObject({ status: 307, error: 'answered 307' });
  });

  afterEach(() => expect(receiver.received).toEqual([]));
});

test('a name that leads elsewhere a moment later: the address that was checked is the one connected to', async () => {
  let asked = 0;
  const rebinding: Resolve = (hostname, options, callback) =>
    resolvesTo(asked++ === 0 ? '127.0.0.1' : '127.0.0.2')(hostname, options, callback);
  const sender = senderTo('127.0.0.1/32', rebinding);
  const url = `http://rebinding.example:${port()}/`;
  expect(await send(sender, url)).toMatchObject({ status: 204 });
  expect(asked).toBe(1);
  receiver.hangUp();
  expect(await send(sender, url)).toMatchObject(forbidden);
  expect(receiver.received).toHaveLength(1);
});

test('nothing that goes wrong names an address', async () => {
  const url = receiver.url();
  await receiver.close();
  const answer = await send(senderTo(loopback), url);
  expect(answer).toMatchObject({ status: null, error: 'no answer: ECONNREFUSED' });
  receiver = await Receiver.open(secret);
});

test('a receiver that does not answer, or not to its end, is waited for no longer than the setting', async () => {
  const sender = senderTo(loopback, undefined, '0.5');
  receiver.answer = () => undefined;
  expect(await send(sender, receiver.url())).toMatchObject({ status: null, error: 'no answer within 0.5 s' });
  const url = await rawServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun');
  });
  const answer = await send(sender, url);
  expect(answer).toMatchObject({ status: 200, error: null, response: 'begun' });
  expect(answer.durationMs).toBeLessThan(2_000);
});

test('of an answer without end 16 KB are read, and its beginning kept', async () => {
  let written = 0;
  const url = await rawServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 500 Oops\r\n\r\n');
    const more = () => {
      while (!socket.destroyed && socket.write('x'.repeat(1_024))) written += 1_024;
    };
    socket.on('drain', more);
    more();
  });
  const answer = await send(senderTo(loopback), url);
  expect(answer).toMatchObject({ status: 500, error: 'answered 500', response: 'x'.repeat(1_000) });
  expect(answer.durationMs).toBeLessThan(1_900);
  expect(written).toBeLessThan(50 * 1_024 * 1_024);
});

test('a number that the receiver repeats is not kept', async () => {
  receiver.answer = () => ({ status: 400, body: 'no such number +966501234567\0' });
  const { response } = await send(senderTo(loopback), receiver.url());
  expect(response).toMatch(/^no such number \+9665•+67$/);
});

test.each([
  ['120', 120],
  [new Date(Date.now() + 3_600_000).toUTCString(), 3_600],
  [new Date(0).toUTCString(), 0],
  ['soon', 0],
  ['-5', 0],
])('Retry-After: %s asks for %d s', async (header, seconds) => {
  receiver.answer = () => ({ status: 503, headers: { 'retry-after': header } });
  const { retryAfterSeconds } = await send(senderTo(loopback), receiver.url());
  expect(Math.abs(retryAfterSeconds - seconds)).toBeLessThan(10);
});
