import { readConfig } from '../../src/config';
import { Service } from '../support/service';
import { createTcpGate, type TcpGate } from '../support/tcp-gate';
import { waitUntil } from '../support/wait-until';

let gate: TcpGate;
let service: Service;

beforeAll(async () => {
  const [host = '', port] = readConfig(process.env).TEMPORAL_ADDRESS.split(':');
  gate = await createTcpGate({ host, port: Number(port) });
  await gate.open();
  service = await Service.open({
    TEMPORAL_ADDRESS: `127.0.0.1:${gate.port}`,
    MOCK_SUCCESS_RATE: '1',
    MOCK_MIN_SECONDS: '1',
    MOCK_MAX_SECONDS: '1',
  });
  await service.start('api', 'worker', 'provider');
}, 90_000);
afterAll(async () => {
  await service.close();
  await gate.shut();
});

test('with Temporal away a call is accepted at once, and made, once, after Temporal is back', async () => {
  await gate.shut();
  const started = performance.now();
  const { id } = await service.place({ to: '+966503000001' });
  expect(performance.now() - started).toBeLessThan(1_000);
  expect(await service.get('/ready')).toMatchObject({
    status: 'degraded',
    dependencies: { temporal: { status: 'down' } },
  });
  expect((await service.providerStats()).dials).toBe(0);

  await gate.open();
  expect(await service.untilFinal(id)).toMatchObject({ status: 'COMPLETED', attempts: 1 });
  expect(await service.providerStats()).toMatchObject({ dials: 1, duplicateDials: 0 });
}, 150_000);

test('a webhook that comes while Temporal is away is stored, and counts after Temporal is back', async () => {
  const { id } = await service.place({ to: '+966503000002' });
  await waitUntil('on the line', async () => (await service.call(id)).externalCallId !== null);
  await gate.shut();
  await waitUntil('webhook answered', async () => {
    const { active, webhooksPending } = await service.providerStats();
    return active === 0 && webhooksPending === 0;
  });
  expect((await service.call(id)).status).toBe('IN_PROGRESS');
  await gate.open();
  expect(await service.untilFinal(id)).toMatchObject({ status: 'COMPLETED', attempts: 1 });
}, 150_000);
