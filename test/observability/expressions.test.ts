import { pickFreePorts } from '../../infra/tcp-port';
import { taskQueue, topics } from '../../src/call/names';
import { readConfig } from '../../src/config';
import { Stage } from '../faults/stage';
import { openBroker } from '../support/kafka';
import { Prometheus } from '../support/prometheus';
import { waitUntil } from '../support/wait-until';
import { Receiver } from '../webhooks/receiver';
import { readAlerts, readDataSources, readPanels } from './files';

/** Fires where there is nothing to see, or compares two of ours: what is in them is seen in others. */
const emptyIfAllIsWell = ['NoProcess', 'MoreCallsThanSlots'];

let stage: Stage;
let receiver: Receiver;
let prometheus: Prometheus;

beforeAll(async () => {
  receiver = await Receiver.open(...readConfig({}).WEBHOOK_SIGNING_SECRETS);
  receiver.answer = ({ message }, nth) => ({ status: message.type === 'call.accepted' && nth === 1 ? 503 : 204 });
  stage = await Stage.open({
    callSeconds: 1,
    settings: {
      MAX_CONCURRENT_CALLS: '3',
      WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
      WEBHOOK_RETRY_SCHEDULE_SECONDS: '1,1',
    },
  });
  const [worker = 0, bridge = 0] = await pickFreePorts(2);
  await openBroker();
  await Promise.all([
    stage.service.start('api'),
    stage.service.run('worker', { HEALTH_PORT: String(worker) }),
    stage.service.run('bridge', { HEALTH_PORT: String(bridge) }),
  ]);
  prometheus = await Prometheus.open({
    api: stage.service.url.replace('http://', ''),
    worker: `127.0.0.1:${worker}`,
    bridge: `127.0.0.1:${bridge}`,
  });
  await load();
}, 120_000);

afterAll(async () => {
  await prometheus.close();
  await stage.close();
  await receiver.close();
});

/** Everything that is measured happens at least twice, with a look of Prometheus' between. */
async function load(): Promise<void> {
  const refused = new Set<string>();
  stage.decide = ({ to }) => {
    const last = Number(to.at(-1));
    if (last < 3 && !refused.has(to)) {
      refused.add(to);
      return stage.usually({ answer: { kind: 'refused', status: 503 } });
    }
    return stage.usually({ outcome: last === 9 ? 'BUSY' : 'COMPLETED' });
  };
  const numbers = Array.from({ length: 30 }, (_, at) => `+9665088${String(10_000 + at)}`);
  for (const part of [numbers.slice(0, 15), numbers.slice(15)]) {
    const calls = await Promise.all(part.map((to) => place(to)));
    const [to = ''] = part;
    const message = JSON.stringify({ to: to.replace('+9665088', '+9665089'), scriptId: 'testScript' });
    const producer = (await openBroker()).producer();
    await producer.send(topics.requests, [{ key: to, value: message }]);
    await producer.close();
    await stage.service.namespace.client.workflow.start('noSuchWorkflow', { workflowId: `unknown-${to}`, taskQueue });
    for (const { id } of calls) await stage.service.untilFinal(id);
  }
}

async function place(to: string): Promise<{ id: string }> {
  const answer = await stage.service.post('/calls', { to, scriptId: 'testScript', webhookUrl: receiver.url() });
  expect(answer.status).toBe(201);
  return (await answer.json()) as { id: string };
}

/** @returns those of the expressions that show nothing */
async function withoutData(expressions: readonly string[]): Promise<string[]> {
  const shown = await Promise.all(
    expressions.map(async (expression) => {
      const result = await prometheus.query(expression);
      return result.some(({ value }) => Number.isFinite(value));
    }),
  );
  return expressions.filter((_, index) => !shown[index]);
}

async function untilAllShow(expressions: readonly string[]): Promise<void> {
  let missing: string[] = [];
  await waitUntil('every expression shows something', async () => {
    missing = await withoutData(expressions);
    return missing.length === 0;
  }).catch(() => undefined);
  expect(missing).toEqual([]);
}

test('every expression of the dashboard shows something on the service under load', async () => {
  const expressions = readPanels().flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  expect(expressions.length).toBeGreaterThan(40);
  await untilAllShow(expressions.map((expression) => expression.replaceAll('$__rate_interval', '2m')));
});

test('what every alert compares is there on the service under load, and every alert is an expression', async () => {
  const alerts = readAlerts();
  for (const { expr } of alerts) await prometheus.query(expr);
  const compared = alerts
    .filter(({ alert }) => !emptyIfAllIsWell.includes(alert))
    .map(({ expr }) => expr.replaceAll(/ (>|==) [\d.]+/g, ''));
  await untilAllShow(compared);
  expect(await prometheus.query('up{job=~"api|worker|bridge"} == 1')).toHaveLength(3);
});

test('the dashboard asks data sources that are provisioned, and no panel lies on another', () => {
  const known = readDataSources().map(({ uid }) => uid);
  const panels = readPanels();
  expect(panels.filter(({ datasource }) => !known.includes(datasource?.uid ?? ''))).toEqual([]);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
});
