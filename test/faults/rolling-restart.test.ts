import { topics } from '../../src/call/names';
import { countCalls } from '../../src/store/calls';
import { pickFreePorts } from '../../infra/tcp-port';
import { openBroker } from '../support/kafka';
import { OwnServices } from '../support/own-services';
import type { Role, RoleProcess } from '../support/role-process';
import { waitUntil } from '../support/wait-until';
import { Stage } from './stage';

let own: OwnServices;
let stage: Stage;

beforeAll(async () => {
  own = await OwnServices.open('kafka');
  stage = await Stage.open({ settings: { ...own.environment, MAX_CONCURRENT_CALLS: '10' }, callSeconds: 1 });
}, 120_000);
afterAll(async () => {
  await stage.close();
  await own.close();
});

/** The second API listens on a port of its own; webhooks go to the first, as to one address of a load balancer. */
async function startTwoOfEach(): Promise<{ role: Role; env: Record<string, string>; running: RoleProcess }[]> {
  const [port] = await pickFreePorts(1);
  const plans: { role: Role; env: Record<string, string> }[] = [
    { role: 'api', env: {} },
    { role: 'api', env: { PORT: String(port) } },
    { role: 'worker', env: {} },
    { role: 'worker', env: {} },
    { role: 'bridge', env: {} },
    { role: 'bridge', env: {} },
  ];
  return Promise.all(plans.map(async (plan) => ({ ...plan, running: await stage.service.run(plan.role, plan.env) })));
}

async function countOpenCalls(): Promise<number> {
  const { PENDING, IN_PROGRESS } = await countCalls(stage.service.database.db);
  return PENDING + IN_PROGRESS;
}

test(
  '25: everything is restarted in turn under load: no 5xx from the API that remains, and nothing is lost',
  () =>
    stage.rehearse(25, 'rolling restart of all roles under load', async (rehearsal) => {
      const producer = (await openBroker(own.environment)).producer();
      const places = await startTwoOfEach();
      const ports = places
        .filter(({ role }) => role === 'api')
        .map(({ env }) => env['PORT'] ?? stage.service.settings['PORT']!);

      let restarting: string | undefined;
      const loading = new AbortController();
      const statuses = new Map<number, number>();
      const sent: string[] = [];
      const post = async (): Promise<void> => {
        // A load balancer that has taken the restarting API out; by the other all must be well.
        const port = ports.find((one) => one !== restarting)!;
        const answer = await fetch(`http://127.0.0.1:${port}/calls`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ to: stage.freshNumber(), scriptId: 'testScript' }),
        });
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        const { id } = (await answer.json()) as { id?: string };
        if (id !== undefined) rehearsal.callIds.push(id);
      };
      const load = (async () => {
        while (!loading.signal.aborted) {
          const to = stage.freshNumber();
          await producer.send(topics.requests, [{ key: to, value: JSON.stringify({ to, scriptId: 'testScript' }) }]);
          sent.push(to);
          await post();
          // As fast as the line empties: a steady load, and no queue of minutes. Also calls whose start still waits count.
          await waitUntil('room', async () => (await countOpenCalls()) < 20, 120);
        }
      })();
      for (const place of places) {
        if (place.role === 'api') restarting = place.env['PORT'] ?? stage.service.settings['PORT']!;
        expect(await place.running.stop()).toBe(0);
        rehearsal.fired();
        place.running = await stage.service.run(place.role, place.env);
        restarting = undefined;
      }
      loading.abort();
      await load;
      rehearsal.over();
      await producer.close();
      expect([...statuses.keys()]).toEqual([201]);
      await rehearsal.untilCalled(sent);
    }),
  240_000,
);
