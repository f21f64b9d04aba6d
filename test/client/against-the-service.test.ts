import { CallsClient, CallsTimeoutError, type CallStatus } from '../../src/client';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

jest.setTimeout(180_000);

let service: Service;
let client: CallsClient;
beforeAll(async () => {
  service = await Service.open({ MOCK_SUCCESS_RATE: '1' });
  await service.start('api', 'worker', 'provider');
  client = new CallsClient({ baseUrl: service.url });
});
afterAll(() => service.close());

let numbers = 0;
const request = () => ({ to: `+96650${String(2_000_000 + numbers++)}`, scriptId: 'testScript' });

test('a call is created, waited for, and read back with its attempts and its whole timeline', async () => {
  const created = await client.create({ ...request(), metadata: { order: 7 }, priority: 1 });
  expect(created).toMatchObject({ status: 'PENDING', payload: { metadata: { order: 7 } }, priority: 1 });

  const ended = await client.waitUntilFinal(created.id, { timeoutSeconds: 60 });
  expect(ended).toMatchObject({ id: created.id, status: 'COMPLETED', attempts: 1 });
  expect(await client.get(created.id)).toEqual(ended);
  expect(await client.attempts(created.id)).toMatchObject([{ number: 1, outcome: 'COMPLETED' }]);
  const events = await client.events(created.id);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  expect([events[0]?.type, events.at(-1)?.type]).toEqual(['call.accepted', 'call.completed']);
  expect(await client.list({ to: created.payload.to })).toMatchObject({ total: 1, calls: [{ id: created.id }] });
});

test('a call that was canceled and retried is waited for to its new end, not its old one', async () => {
  const { id } = await client.create(request());
  await client.cancel(id);
  expect((await client.waitUntilFinal(id)).status).toBe('CANCELED');
  await client.retry(id);
  expect((await client.waitUntilFinal(id, { timeoutSeconds: 60 })).status).toBe('COMPLETED');
});

test('one that is not over in time is given back as it was last seen, and goes on', async () => {
  const { id } = await client.create({ ...request() });
  const error = await client.waitUntilFinal(id, { timeoutSeconds: 0.2 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(CallsTimeoutError);
  const { call } = error as CallsTimeoutError;
  expect(call.id).toBe(id);
  expect(['PENDING', 'IN_PROGRESS'] satisfies CallStatus[]).toContain(call.status);
  expect((await client.waitUntilFinal(id, { timeoutSeconds: 60 })).status).toBe('COMPLETED');
});

test('calls and slots are counted', async () => {
  const { id } = await client.create(request());
  await client.waitUntilFinal(id, { timeoutSeconds: 60 });
  const { COMPLETED, slots } = await waitUntil('no slot is held', async () => {
    const stats = await client.stats();
    return stats.slots.held === 0 && stats;
  });
  expect(COMPLETED).toBeGreaterThan(0);
  expect(slots).toEqual({ limit: 30, held: 0, waiting: 0 });
});

test('dialling is paused and resumed, and what waits for it is on the board', async () => {
  expect(await client.pause('by the client')).toMatchObject({ pause: { reason: 'by the client' } });
  const { id } = await client.create(request());
  const waiting = await waitUntil('it waits', async () => {
    const { queue } = await client.board({ limit: 200 });
    return queue.calls.find(({ callId, place }) => callId === id && place !== null);
  });
  expect(waiting).toMatchObject({ waitsFor: 'PAUSE', startsAbout: null, attempt: 1 });
  expect(await client.control()).toEqual(await client.pause());
  expect(await client.resume()).toEqual({ pause: null });
  await client.waitUntilFinal(id, { timeoutSeconds: 60 });
  const { totals } = await client.statistics({
    from: new Date(Date.now() - 3_600_000),
    to: new Date(Date.now() + 60_000),
  });
  expect(totals.completed).toBeGreaterThan(0);
});

test('a service that starts again while a call is waited for is waited through', async () => {
  const { id } = await client.create(request());
  let looks = 0;
  const counting = new CallsClient({
    baseUrl: service.url,
    fetch: async (url, init) => {
      const answer = await fetch(url, init);
      looks++;
      return answer;
    },
  });
  const ended = counting.waitUntilFinal(id, { timeoutSeconds: 90 });
  await waitUntil('it has found the call', () => looks > 0);
  const [api] = service.processes.filter(({ role }) => role === 'api');
  await api!.crash();
  service.forget(api!);
  await service.run('api');
  expect((await ended).status).toBe('COMPLETED');
});
