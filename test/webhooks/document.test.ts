import { spawn, type ChildProcess } from 'node:child_process';

import { pickFreePorts } from '../../infra/tcp-port';
import { checkout, readDocument } from '../docs/documents';
import { waitUntil } from '../support/wait-until';
import { WebhooksUnderTest } from './webhooks-under-test';

const [receiver = ''] = [...readDocument('docs/webhooks.md').matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

let webhooks: WebhooksUnderTest;
let server: ChildProcess | undefined;

beforeAll(async () => {
  webhooks = await WebhooksUnderTest.open();
  await webhooks.startWorker();
});
afterAll(async () => {
  server?.kill('SIGKILL');
  await webhooks.close();
});

test('the receiver of docs/webhooks.md, run as it stands, takes what is ours and refuses what is not', async () => {
  const [port] = await pickFreePorts(1);
  const { secret, id } = await webhooks.endpoint(`http://127.0.0.1:${port}/`, ['call.updated']);
  const env = {
    ...process.env,
    PORT: String(port),
    WEBHOOK_SECRETS: [secret, ...webhooks.config.WEBHOOK_SIGNING_SECRETS].join(','),
  };
  server = spawn(process.execPath, ['--input-type=module', '-e', receiver], { cwd: checkout, env });
  let output = '';
  for (const stream of [server.stdout, server.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  await waitUntil('the receiver listens', () => output.includes('listening'));

  const call = await webhooks.call(`http://127.0.0.1:${port}/own`);
  await webhooks.happen(call);
  await waitUntil(`all taken; it wrote: ${output}`, async () => {
    const rows = await webhooks.deliveries({ call });
    return rows.length === 3 && rows.every(({ state }) => state === 'DELIVERED');
  });
  // The endpoint and the call's own URL are one receiver here: it met call.updated twice, and took it once.
  expect(output.trim().split('\n').slice(1).sort()).toEqual([
    `call.accepted ${call.id} 1`,
    `call.updated ${call.id} 2`,
  ]);
  expect(await webhooks.deliveries({ endpointId: id })).toHaveLength(1);

  const forged = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    body: '{}',
    headers: {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(Math.floor(Date.now() / 1_000)),
      'webhook-signature': 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
    },
  });
  expect(forged.status).toBe(401);
});
