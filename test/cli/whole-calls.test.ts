import type { Attempt, Call, CallEvent } from '../../src/client';
import { jsonLines, runCalls, startCalls } from '../support/calls-command';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

jest.setTimeout(180_000);

let service: Service;
beforeAll(async () => {
  service = await Service.open({ MOCK_SUCCESS_RATE: '1' });
  await service.start('api', 'worker', 'provider');
});
afterAll(() => service.close());

const calls = (...args: string[]) => runCalls(args, { env: { CALLS_URL: service.url } });

let numbers = 0;
const freshNumber = () => `+96650${String(4_000_000 + numbers++)}`;

test('calls create --wait ends when the call does, and its exit code says how', async () => {
  const { code, stdout } = await calls('create', freshNumber(), '--script', 'testScript', '--wait', '--json');
  expect(jsonLines<Call>({ stdout })).toMatchObject([{ status: 'COMPLETED' }]);
  expect(code).toBe(0);
});

test('calls get shows a call, its attempts and its timeline', async () => {
  const [{ id }] = jsonLines<Call>(await calls('create', freshNumber(), '-s', 'testScript', '--wait', '--json')) as [
    Call,
  ];
  const { code, stdout } = await calls('get', id, '--attempts', '--events');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^status +COMPLETED$/m);
  expect(stdout).toMatch(/^ATTEMPT +SLOT +OUTCOME/m);
  expect(stdout).toMatch(/^1 +\d+ +COMPLETED/m);
  expect(stdout).toMatch(/Z +call\.accepted +PENDING$/m);

  const [shown] = jsonLines<Call & { attemptList: Attempt[]; events: CallEvent[] }>(
    await calls('get', id, '-a', '-e', '--json'),
  );
  expect(shown).toMatchObject({ id, status: 'COMPLETED', attemptList: [{ outcome: 'COMPLETED' }] });
  expect(shown?.events[0]?.type).toBe('call.accepted');
});

test('Ctrl-C ends a wait by the signal, and leaves the call alone', async () => {
  const { child, output, ended } = startCalls(['create', freshNumber(), '--script', 'testScript', '--wait'], {
    env: { CALLS_URL: service.url },
  });
  await waitUntil('it waits', () => output.stderr.includes('waiting for its end'));
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: null, signal: 'SIGINT', stdout: '' });
  const id = /Call (\S+) is accepted/.exec(output.stderr)?.[1] ?? '';
  expect(await service.untilFinal(id)).toMatchObject({ status: 'COMPLETED' });
});
