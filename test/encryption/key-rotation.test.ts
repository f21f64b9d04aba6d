import { randomBytes } from 'node:crypto';

import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

/** Calls that are live while the keys of the service change under them. */
const [old, fresh] = ['old', 'fresh'].map((id) => `${id}:${randomBytes(32).toString('base64')}`);

let service: Service;
let numbers = 0;

beforeAll(async () => {
  service = await Service.open({ MOCK_MIN_SECONDS: '30', MOCK_MAX_SECONDS: '30', MOCK_SUCCESS_RATE: '1' });
  await service.start('provider');
}, 90_000);
afterAll(() => service.close());

/** API and worker are stopped, and started again with these keys. */
async function goOnWith(...keys: (string | undefined)[]): Promise<void> {
  const running = service.processes.filter(({ role }) => role !== 'provider');
  await Promise.all(running.map((one) => one.stop()));
  for (const one of running) service.forget(one);
  service.settings['PAYLOAD_KEYS'] = keys.join(',');
  await service.start('api', 'worker');
}

async function callOnTheLine(): Promise<string> {
  const { id } = await service.place({ to: `+96650333000${numbers++}` });
  await waitUntil('on the line', async () => (await service.call(id)).externalCallId !== null, 30);
  return id;
}

test('a call that began without keys, or under the key before, goes on under the next', async () => {
  await goOnWith();
  const ids = [await callOnTheLine()];
  await goOnWith(old);
  ids.push(await callOnTheLine());
  await goOnWith(fresh, old);
  ids.push(await callOnTheLine());
  for (const id of ids) expect(await service.untilFinal(id)).toMatchObject({ status: 'COMPLETED', attempts: 1 });
}, 240_000);

test('a worker without the key of a call says so and lets it stand, and it goes on where the key is back', async () => {
  await goOnWith(fresh, old);
  const id = await callOnTheLine();
  await goOnWith(old);
  await waitUntil('the worker says which key', () => service.output('worker').includes('not in PAYLOAD_KEYS'), 60);
  expect(service.output('worker')).toContain('encrypted with key \\"fresh\\"');
  expect(await service.call(id)).toMatchObject({ status: 'IN_PROGRESS' });

  await goOnWith(fresh, old);
  expect(await service.untilFinal(id)).toMatchObject({ status: 'COMPLETED', attempts: 1 });
}, 240_000);
