import { CallsClient, type CallEvent } from '../../src/client';
import { jsonLines, runCalls, startCalls } from '../support/calls-command';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

jest.setTimeout(180_000);

let service: Service;
let client: CallsClient;
beforeAll(async () => {
  // Without a worker: every call stays PENDING until it is told otherwise.
  service = await Service.open();
  await service.start('api');
  client = new CallsClient({ baseUrl: service.url });
});
afterAll(() => service.close());

const start = (...args: string[]) => startCalls(['watch', ...args], { env: { CALLS_URL: service.url } });

let numbers = 0;
const place = (scriptId = 'watched') => client.create({ to: `+96650${String(7_000_000 + numbers++)}`, scriptId });

/** Makes calls until one is seen: a stream begins from when it is connected. */
async function untilItShows(watching: ReturnType<typeof start>, scriptId: string): Promise<void> {
  await waitUntil('it shows what happens', async () => {
    await place(scriptId);
    return watching.output.stdout !== '';
  });
}

test('without an id it shows the events of all calls that match, until Ctrl-C ends it by the signal', async () => {
  const watching = start('--json', '--script', 'wanted', '--type', 'call.accepted,CALL.CANCELED');
  await untilItShows(watching, 'wanted');
  const [other, mine] = [await place('other'), await place('wanted')];
  await client.cancel(other.id);
  await client.cancel(mine.id);
  const shown = () => jsonLines<CallEvent>(watching.output).filter(({ callId }) => callId === mine.id);
  await waitUntil('both came', () => shown().length >= 2);
  expect(shown()).toEqual(await client.events(mine.id));
  expect(jsonLines<CallEvent>(watching.output).filter(({ callId }) => callId === other.id)).toEqual([]);
  watching.child.kill('SIGINT');
  expect(await watching.ended).toMatchObject({ code: null, signal: 'SIGINT', stderr: '' });
});

test('with an id it shows the whole timeline until the call has ended, and its exit code says how', async () => {
  const { id } = await place();
  await client.cancel(id);
  await client.retry(id);
  // An end that was taken back is none.
  const watching = start(id);
  const lines = () => watching.output.stdout.trimEnd().split('\n');
  await waitUntil('what has been is shown', () => lines().length >= 4);
  await client.cancel(id);
  const { code, stdout, stderr } = await watching.ended;
  expect([code, stderr]).toEqual([1, '']);
  const [head, ...rows] = stdout.trimEnd().split('\n');
  expect(head).toMatch(/^AT +EVENT +CALL +TO +STATUS +WHAT$/);
  expect(rows.map((row) => /Z {2}(\S+)/.exec(row)?.[1])).toEqual((await client.events(id)).map(({ type }) => type));
  for (const row of rows) expect(row.indexOf(id)).toBe(head!.indexOf('CALL'));
  // Of a call that has ended already it is the same at once.
  expect(await start(id).ended).toMatchObject({ code: 1, stdout });
});

test.each([120, 80, 30])('on a terminal of %d columns it keeps within them', async (columns) => {
  const { id } = await place();
  await client.cancel(id);
  const { stdout } = await runCalls(['watch', id], { env: { CALLS_URL: service.url, COLUMNS: String(columns) } });
  expect(stdout.match(new RegExp(id, 'g'))).toHaveLength(2);
  if (columns >= 80) for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
});

test('a call that does not end within --timeout is exit code 6; one that there is not, 3; what cannot be meant, 2', async () => {
  const { id } = await place();
  const late = await start(id, '--timeout', '1s').ended;
  expect(late).toMatchObject({ code: 6, stderr: expect.stringContaining('has not ended within 1 s') as string });
  expect((await start('00000000-0000-4000-8000-000000000000').ended).code).toBe(3);
  expect((await start(id, '--status', 'FAILED').ended).code).toBe(2);
  expect((await start('--timeout', '1s').ended).code).toBe(2);
  expect((await start('--type', 'call.ended').ended).code).toBe(2);
});

test('a reader that has read enough ends it without a word', async () => {
  const watching = start('--json');
  await untilItShows(watching, 'watched');
  watching.child.stdout?.destroy();
  await place();
  expect(await watching.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
});

test('it goes on over a kill -9 of the API, says so once, and shows nothing twice', async () => {
  const { id } = await place();
  const watching = start(id, '--json');
  await waitUntil('it has begun', () => watching.output.stdout !== '');
  const [api] = service.processes;
  await api!.crash();
  service.forget(api!);
  await waitUntil('it says so', () => watching.output.stderr !== '');
  await service.run('api');
  await client.cancel(id);
  const ended = await watching.ended;
  expect([ended.code, ended.stderr.match(/^calls: the stream .*; going on/gm)?.length]).toEqual([1, 1]);
  expect(jsonLines<CallEvent>(ended)).toEqual(await client.events(id));
});
