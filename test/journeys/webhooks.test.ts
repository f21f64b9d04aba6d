import { Receiver } from '../webhooks/receiver';
import { readConfig } from '../../src/config';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

let service: Service;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await Receiver.open(...readConfig({}).WEBHOOK_SIGNING_SECRETS);
  service = await Service.open({
    WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
    WEBHOOK_RETRY_SCHEDULE_SECONDS: '4,4,4',
    MOCK_SUCCESS_RATE: '1',
  });
  await service.start('provider', 'api', 'worker');
});
afterAll(async () => {
  await service.close();
  await receiver.close();
});

test('a call tells its webhookUrl its whole timeline, though the worker is killed while a webhook waits', async () => {
  receiver.answer = ({ message }, nth) => ({ status: message.type === 'call.accepted' && nth === 1 ? 503 : 204 });
  const request = { to: '+966501234567', scriptId: 'testScript', webhookUrl: receiver.url() };
  const { id } = (await (await service.post('/calls', request)).json()) as { id: string };
  await receiver.until(1);
  const [worker] = service.processes.filter(({ role }) => role === 'worker');
  await worker!.crash();
  service.forget(worker!);
  await service.run('worker');
  await service.untilFinal(id);
  const events = await service.events(id);
  await waitUntil(
    'all delivered',
    async () => {
      const { deliveries } = await service.get<{ deliveries: { state: string }[] }>(`/webhook-deliveries?callId=${id}`);
      return deliveries.length === events.length && deliveries.every(({ state }) => state === 'DELIVERED');
    },
    60,
  );
  expect(receiver.received.every(({ verifiedBy }) => verifiedBy.length === 1)).toBe(true);
  const told = new Set(receiver.received.map(({ message }) => message.data.eventId));
  expect(told).toEqual(new Set(events.map(({ eventId }) => eventId)));
});
