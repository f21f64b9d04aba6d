import { createLog } from '../../src/log';
import { listCarriedOn } from '../../src/reconciler/listed-runs';
import { listLiveAttempts } from '../../src/store/orphans';
import { Carrier } from '../support/carrier';
import { waitUntil } from '../support/wait-until';

let carrier: Carrier;

beforeEach(async () => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '2' });
  await carrier.startWorker();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await carrier.close();
});

const log = createLog('test', 'silent');
const service = () => carrier.namespace.client.workflowService;

async function untilListed(count: number): Promise<void> {
  const { client } = carrier.namespace;
  await waitUntil(
    'all are listed',
    async () => (await client.workflow.count("ExecutionStatus = 'Running'")).count >= count,
  );
}

test('no call that is carried on is asked about by itself, on the line or waiting', async () => {
  const live = [await carrier.place(), await carrier.place()];
  for (const id of live) await carrier.attemptOnTheLine(id);
  // Only now: of calls placed together, any two may be the first to ask for a slot.
  const waiting = [await carrier.place(), await carrier.place()];
  for (const id of waiting) await carrier.untilWaiting(id);
  await untilListed(live.length + waiting.length);

  const asked = jest.spyOn(service(), 'describeWorkflowExecution');
  expect(await carrier.mend()).toBe(0);
  expect(asked).not.toHaveBeenCalled();
});

test('nor one whose first step was kept waiting for minutes, as under a flood', async () => {
  const live = await carrier.place();
  await carrier.attemptOnTheLine(live);
  await untilListed(1);
  await carrier.db
    .updateTable('attempts')
    .set({ queued_at: new Date(Date.now() + 600_000) })
    .execute();

  const recorded = await listLiveAttempts(carrier.db);
  expect(await listCarriedOn({ temporal: carrier.namespace.client, log }, recorded)).toEqual(new Set([live]));
});

test('one that began a day before another is asked about apart: what began in between is not read', async () => {
  const [today, yesterday] = [await carrier.place(), await carrier.place()];
  for (const id of [today, yesterday]) await carrier.attemptOnTheLine(id);
  const recorded = await listLiveAttempts(carrier.db);
  const dayEarlier = recorded.map((run) =>
    run.callId === yesterday ? { ...run, runNumber: 2, queuedAt: new Date(Date.now() - 86_400_000) } : run,
  );
  const listed = jest.spyOn(service(), 'listWorkflowExecutions');
  await listCarriedOn({ temporal: carrier.namespace.client, log }, dayEarlier);
  const named = listed.mock.calls.map(([request]) => /'call-(.*)'/.exec((request as { query: string }).query)?.[1]);
  expect(named).toEqual([yesterday, today]);
});

test('a run that is not the one on record is not taken for it', async () => {
  const [first, second] = [await carrier.place(), await carrier.place()];
  for (const id of [first, second]) await carrier.attemptOnTheLine(id);
  await untilListed(2);

  const deps = { temporal: carrier.namespace.client, log };
  const live = await listLiveAttempts(carrier.db);
  expect(await listCarriedOn(deps, live)).toEqual(new Set([first, second]));
  const ofAnother = live.map((one) => (one.callId === second ? { ...one, runId: 'another' } : one));
  expect(await listCarriedOn(deps, ofAnother)).toEqual(new Set([first]));
});

test("where Temporal's list cannot be read, an orphan is found all the same", async () => {
  const id = await carrier.place();
  await carrier.attemptOnTheLine(id);
  await carrier.workflow(id).terminate('by the test');

  jest.spyOn(service(), 'listWorkflowExecutions').mockRejectedValue(new Error('no visibility store'));
  expect(await carrier.activities.endOrphanedAttempts()).toBe(1);
  expect(await carrier.call(id)).toMatchObject({ status: 'CANCELED' });
});

test('what closed is looked for since the look that came through last, and from there again after one that did not', async () => {
  const listed = jest.spyOn(service(), 'listWorkflowExecutions');
  const look = async (): Promise<{ mended: number; minutesBack: number }> => {
    listed.mockClear();
    const [at, mended] = [Date.now(), await carrier.activities.mendWaitingCalls()];
    const queries = listed.mock.calls.map(([request]) => (request as { query: string }).query);
    const since = queries.map((query) => /'Terminated' AND CloseTime > '(.*)'/.exec(query)?.[1] ?? '').join('');
    return { mended, minutesBack: Math.round((at - Date.parse(since)) / 60_000) };
  };
  expect(await look()).toEqual({ mended: 0, minutesBack: 15 });

  const now = jest.spyOn(Date, 'now');
  const pass = (minutes: number, from = Date.now()) => now.mockImplementation(() => from + minutes * 60_000);
  pass(5);
  expect(await look()).toEqual({ mended: 0, minutesBack: 6 });

  for (let slot = 1; slot <= 2; slot++) await carrier.attemptOnTheLine(await carrier.place());
  const id = await carrier.place();
  await carrier.untilWaiting(id);
  await carrier.workflow(id).terminate('by the test');
  const asked = jest.spyOn(service(), 'describeWorkflowExecution').mockRejectedValue(new Error('by the test'));
  expect(await look()).toEqual({ mended: 0, minutesBack: 1 });
  asked.mockRestore();
  pass(3);
  expect(await look()).toEqual({ mended: 1, minutesBack: 4 });
});
