import { randomInt } from 'node:crypto';

import { topics } from '../../src/call/names';
import { openBroker } from '../support/kafka';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

/** Everything that the processes of a whole service write, down to the finest level, while a person is called. */
// Topics are shared: another run's message must not be of this one's number.
const number = `+96650${randomInt(1_000_000, 9_999_990)}`;
const traces = new RegExp(`${number.slice(4)}|Noura|patient`, 'i');

let service: Service;
beforeAll(async () => {
  service = await Service.open({ LOG_LEVEL: 'trace', MOCK_SUCCESS_RATE: '0', MOCK_SEED: 'masked' });
  await service.start('api', 'worker', 'bridge', 'provider');
}, 120_000);
afterAll(() => service.close());

test('neither the number nor the metadata of a call stands in any line of any process, nor in the metrics', async () => {
  const call = await service.place({ to: number, scriptId: 'masked' });
  const metadata = { name: 'Noura', record: 'patient 4711' };
  await service.post('/calls', { to: number, scriptId: 'masked', metadata });
  await service.request(`/calls?to=${encodeURIComponent(number)}`);
  await service.request(`/calls/${encodeURIComponent(number)}`);
  await service.post('/calls', { to: `${number}0000`, scriptId: 'masked', metadata });

  const broker = await openBroker();
  const producer = broker.producer();
  const requestId = `masked-${call.id}`;
  await producer.send(topics.requests, [
    { key: number, value: JSON.stringify({ to: number, scriptId: 'masked', metadata, requestId }) },
    { key: number, value: `{"to":"${number}","Noura":1}` },
    { key: number, value: `{bad ${number}` },
  ]);
  await producer.close();
  await waitUntil('the dead letters', () => service.output('bridge').split('dead letter').length > 2, 60);
  expect(await service.untilFinal(call.id)).toMatchObject({ status: 'FAILED', attempts: 3 });
  const other = await service.place({ to: `+96655${randomInt(1_000_000, 9_999_990)}`, scriptId: 'masked' });
  await service.request(`/calls/${other.id}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ metadata }),
  });
  await service.post(`/calls/${other.id}/cancel`);
  const metrics = await (await service.request('/metrics', { headers: { Accept: 'text/plain' } })).text();

  await service.stop();
  const written = (['api', 'worker', 'bridge', 'provider'] as const).map(
    (role) => [role, service.output(role)] as const,
  );
  for (const [role, output] of written)
    expect([role, output.split('\n').filter((line) => traces.test(line))]).toEqual([role, []]);
  expect(metrics).not.toMatch(traces);
  expect(written.map(([, output]) => output).join('')).toContain(`+966•••••••${number.slice(-2)}`);
}, 180_000);
