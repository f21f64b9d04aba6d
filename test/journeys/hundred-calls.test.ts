import { isFinal } from '../../src/call/transitions';
import type { Call } from '../../src/call/call';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

let service: Service;

beforeAll(async () => {
  service = await Service.open({
    MOCK_SUCCESS_RATE: '0.8',
    MOCK_SEED: 'a hundred',
    MOCK_MIN_SECONDS: '6',
    MOCK_MAX_SECONDS: '8',
  });
  await service.start('api', 'worker', 'provider');
}, 90_000);
afterAll(() => service.close());

test('of a hundred calls at once never more than 30 are on the line, the 30 are kept busy, and all end', async () => {
  const numbers = Array.from({ length: 100 }, (_, index) => `+9665020001${String(index).padStart(2, '0')}`);
  const calls = await Promise.all(numbers.map((to) => service.place({ to })));

  let mostInProgress = 0;
  let seenWaiting = 0;
  await waitUntil(
    'all hundred ended',
    async () => {
      const { slots, PENDING = 0, IN_PROGRESS = 0 } = await service.metrics();
      mostInProgress = Math.max(mostInProgress, IN_PROGRESS, slots.held);
      seenWaiting = Math.max(seenWaiting, slots.waiting);
      return PENDING + IN_PROGRESS === 0;
    },
    240,
  );
  expect(mostInProgress).toBe(30);
  expect(seenWaiting).toBeGreaterThan(30);

  const stats = await service.providerStats();
  expect(stats).toMatchObject({ active: 0, peak: 30, peakPerNumber: 1, duplicateDials: 0 });
  const ended = await Promise.all(calls.map(({ id }) => service.call(id)));
  expect(ended.every(({ status }) => isFinal(status))).toBe(true);
  const attempts = ended.reduce((sum, call) => sum + call.attempts, 0);
  expect(stats.dials).toBe(attempts);
  // With this seed some fail once or twice and some three times.
  expect(new Set(ended.map(({ status }) => status))).toEqual(new Set(['COMPLETED', 'FAILED']));
  for (const { status, attempts: begun, lastError } of ended) {
    expect(status === 'COMPLETED' ? lastError : begun === 3 && lastError !== null).toBe(
      status === 'COMPLETED' ? null : true,
    );
  }
  expect((await service.metrics()).slots).toEqual({ limit: 30, held: 0, waiting: 0 });
}, 270_000);

test('of ten concurrent POSTs to one number one is accepted and nine are told of it', async () => {
  const to = '+966502000999';
  const answers = await Promise.all(Array.from({ length: 10 }, () => service.post('/calls', { to, scriptId: 'x' })));
  const statuses = answers.map(({ status }) => status).sort();
  expect(statuses).toEqual([201, ...Array<number>(9).fill(409)]);
  const bodies = await Promise.all(
    answers.map(async (answer) => (await answer.json()) as Call & { activeCallId?: string }),
  );
  const accepted = bodies.find(({ id }) => id)?.id;
  expect(new Set(bodies.flatMap(({ activeCallId }) => activeCallId ?? []))).toEqual(new Set([accepted]));
});
