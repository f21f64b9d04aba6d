import { OwnServices } from '../support/own-services';
import { Toxiproxy, type Proxy } from '../support/toxiproxy';
import { waitUntil } from '../support/wait-until';
import { workflowId } from '../../src/call/names';
import { Stage } from './stage';

let own: OwnServices;
let toxiproxy: Toxiproxy;
let stage: Stage;
/** The API reaches Temporal through it. */
let proxy: Proxy;

beforeAll(async () => {
  [own, toxiproxy] = await Promise.all([OwnServices.open('temporal'), Toxiproxy.open()]);
  stage = await Stage.open({ settings: own.environment, callSeconds: 3 });
  proxy = await toxiproxy.to(own.environment['TEMPORAL_ADDRESS']!);
  await Promise.all([startApi(), stage.service.start('worker')]);
}, 120_000);
afterAll(async () => {
  await stage.close();
  await toxiproxy.close();
  await own.close();
});

const startApi = () => stage.service.run('api', { TEMPORAL_ADDRESS: proxy.address });

/** How many workflows there have been for the call: a second chain would have another first run. */
async function workflowsOf(callId: string): Promise<number> {
  const firstRuns = new Set<string>();
  const { client } = stage.service.namespace;
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId(callId)}'` })) {
    const { raw } = await client.workflow.getHandle(workflowId(callId), runId).describe();
    firstRuns.add(raw.workflowExecutionInfo?.firstRunId ?? runId);
  }
  return firstRuns.size;
}

test('12: Temporal is down at POST: 201, and exactly one workflow soon after its return', () =>
  stage.rehearse(12, 'Temporal stopped at POST', async (rehearsal) => {
    await own.stop('temporal');
    rehearsal.fired();
    const calls = await rehearsal.place(10);
    expect(stage.dialled).toHaveLength(0);
    await own.start('temporal');
    rehearsal.over();
    const returned = performance.now();
    await waitUntil('all dialled', () => stage.dialled.length === 10, 60);
    expect(performance.now() - returned).toBeLessThan(30_000);
    await rehearsal.converge();
    for (const { id } of calls) {
      await waitUntil('listed', async () => (await workflowsOf(id)) > 0);
      expect(await workflowsOf(id)).toBe(1);
    }
  }));

test('13: Temporal crashes while calls are live: webhooks are answered 200 and kept, and all converges', () =>
  stage.rehearse(13, 'Temporal killed, 30 calls live', async (rehearsal) => {
    stage.decide = () => stage.usually({ seconds: 6 });
    await rehearsal.place(35);
    await rehearsal.untilOnTheLine(30);
    await own.crash('temporal');
    rehearsal.fired();
    // Each call ends meanwhile, and each webhook is answered: none is left to be sent again.
    await waitUntil('line quiet', () => stage.lineIsQuiet());
    await own.start('temporal');
    rehearsal.over();
    await rehearsal.converge();
    expect(stage.dialled).toHaveLength(35);
  }));

test('14: the API dies between commit and workflow start: the sweep starts each call once', () =>
  stage.rehearse(14, 'API dies between commit and start', async (rehearsal) => {
    const dying = stage.service.processes.find(({ role }) => role === 'api')!;
    // The order to start it leaves, and no answer comes: the call is committed, and nothing follows.
    await proxy.hang();
    await rehearsal.place(5);
    await dying.crash();
    rehearsal.fired();
    expect(stage.dialled).toHaveLength(0);
    await proxy.restore();
    await startApi();
    rehearsal.over();
    await rehearsal.converge();
    expect(stage.dialled).toHaveLength(5);
    for (const id of rehearsal.callIds) expect(await workflowsOf(id)).toBe(1);
  }));
