import { deliverWebhookWorkflow } from '../../src/call/webhook';
import { deliveryWorkflowId, webhookTaskQueue } from '../../src/call/names';
import { createLog } from '../../src/log';
import { mendDeliveries } from '../../src/reconciler/mend-deliveries';
import { startDispatcher } from '../../src/webhooks/dispatcher';
import { operatorTool, temporalCommand, type OperatorTool } from '../support/temporal-cli';
import { waitUntil } from '../support/wait-until';
import { Receiver } from './receiver';
import { WebhooksUnderTest } from './webhooks-under-test';

/** A delivery that was written is delivered or has FAILED with its reason, whoever dies and whatever operators do. */
let webhooks: WebhooksUnderTest;
let receiver: Receiver;
const log = createLog('test', 'silent');

beforeEach(async () => {
  webhooks = await WebhooksUnderTest.open({ WEBHOOK_RETRY_SCHEDULE_SECONDS: '2,3600' });
  receiver = await Receiver.open(...webhooks.config.WEBHOOK_SIGNING_SECRETS);
});
afterEach(async () => {
  await webhooks.close();
  await receiver.close();
});

describe('the hand-off to Temporal', () => {
  test('what was written while no worker ran is delivered once one does', async () => {
    const call = await webhooks.call(receiver.url());
    await webhooks.happen(call, 40);
    await webhooks.startWorker();
    await receiver.until(41);
    await waitUntil('all delivered', async () =>
      (await webhooks.deliveries({ call })).every(({ state }) => state === 'DELIVERED'),
    );
    expect(receiver.received).toHaveLength(41);
  });

  test('a worker that died between starting a workflow and noting so starts no second one', async () => {
    const call = await webhooks.call(receiver.url());
    const [row] = await webhooks.deliveries({ call });
    await webhooks.namespace.client.workflow.start(deliverWebhookWorkflow, {
      workflowId: deliveryWorkflowId(row!.id, 1),
      taskQueue: webhookTaskQueue,
      args: [{ deliveryId: row!.id, round: 1 }],
    });
    await webhooks.startWorker();
    const delivered = await webhooks.until(
      call,
      'noted',
      ({ state, started_at }) => state === 'DELIVERED' && started_at !== null,
    );
    expect(delivered.tries).toBe(1);
    expect(receiver.received).toHaveLength(1);
  });

  test('of three workers one hands off; another takes over when it goes', async () => {
    for (let nth = 1; nth <= 3; nth++) await webhooks.startWorker();
    await webhooks.call(receiver.url());
    await receiver.until(1);
    await webhooks.stopWorkers();
    await webhooks.call(receiver.url('/later'));
    await webhooks.startWorker();
    await receiver.until(1, '/later');
    expect(receiver.received).toHaveLength(2);
  });

  test('Temporal’s absence delays it and no more', async () => {
    const { client } = webhooks.namespace;
    let away = true;
    let refused = 0;
    const sometimesAway = Object.create(client, {
      workflow: {
        value: {
          start: (...args: Parameters<typeof client.workflow.start>) => {
            if (away) {
              refused++;
              throw new Error('14 UNAVAILABLE');
            }
            return client.workflow.start(...args);
          },
        },
      },
    }) as typeof client;
    const dispatcher = startDispatcher({
      config: webhooks.config,
      temporal: sometimesAway,
      log,
      mend: () => Promise.resolve(),
    });
    const call = await webhooks.call(receiver.url());
    const again = await webhooks.call(receiver.url());
    await waitUntil('Temporal was missed', () => refused > 1);
    away = false;
    for (const one of [call, again]) await webhooks.until(one, 'handed off', ({ started_at }) => started_at !== null);
    await dispatcher.close();
    await webhooks.startWorker();
    await receiver.until(2);
  });
});

test('the wait for the next try outlasts the worker, and the next one makes it', async () => {
  await webhooks.startWorker();
  receiver.answer = (_, nth) => ({ status: nth === 1 ? 500 : 200 });
  const call = await webhooks.call(receiver.url());
  const { next_try_at: due } = await webhooks.until(call, 'waiting', ({ next_try_at }) => next_try_at !== null);
  await webhooks.stopWorkers();
  await webhooks.startWorker();
  const [, second] = await receiver.until(2);
  expect(second!.at).toBeGreaterThanOrEqual(due!.getTime() - 50);
  const row = await webhooks.untilState(call, 'DELIVERED');
  expect(row).toMatchObject({ tries: 2, round: 1 });
  await webhooks.record(row, 'webhook-waited-across-workers');
});

test('a try whose worker died is in the log, and is made again under the same id', async () => {
  await webhooks.startWorker();
  receiver.answer = (_, nth) => (nth === 1 ? undefined : { status: 200 });
  const call = await webhooks.call(receiver.url());
  const [row] = await webhooks.deliveries({ call });
  await receiver.until(1);
  // As a worker leaves it that is killed now: Temporal has the step made anew.
  await webhooks.db.updateTable('webhook_tries').set({ number: 7 }).execute();
  receiver.hangUp();
  const delivered = await webhooks.untilState(call, 'DELIVERED');
  expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(1);
  expect((await webhooks.tries(row!.id)).find(({ number }) => number === 7)?.error).toMatch(/worker stopped/);
  expect(delivered.state).toBe('DELIVERED');
});

describe('what operators do to the workflow', () => {
  let operator: OperatorTool;

  beforeEach(async () => {
    operator = await operatorTool('temporal', webhooks.namespace.namespace);
    receiver.answer = (_, nth) => ({ status: nth < 3 ? 500 : 200 });
    await webhooks.startWorker();
  });

  /** A delivery that waits an hour for its third try. */
  async function waiting() {
    const call = await webhooks.call(receiver.url());
    const row = await webhooks.until(call, 'waiting', ({ round_tries }) => round_tries === 2);
    return { call, row };
  }

  test.each(['terminate', 'cancel'] as const)('%s: the delivery has FAILED, and its row says so', async (what) => {
    const { call, row } = await waiting();
    await operator[what](deliveryWorkflowId(row.id, row.round));
    const failed = await webhooks.untilState(call, 'FAILED', 60);
    expect(failed.last_error).toBe(what === 'terminate' ? 'workflow terminated' : 'workflow canceled');
    expect(failed).toMatchObject({ tries: 2, next_try_at: null });
    expect(failed.ended_at).not.toBeNull();
  });

  test('reset: it goes on where its record stands, and sends nothing that was not due', async () => {
    const { call, row } = await waiting();
    await operator.reset(deliveryWorkflowId(row.id, row.round));
    await waitUntil('the new run waits', async () => {
      const { status, raw } = await webhooks.workflow(row).describe();
      return status.name === 'RUNNING' && Number(raw.workflowExecutionInfo?.historyLength) > 10;
    });
    expect(receiver.received).toHaveLength(2);
    const [now] = await webhooks.deliveries({ call });
    expect(now).toMatchObject({ state: 'PENDING', tries: 2, round: 1, next_try_at: row.next_try_at });
  });

  test('reset of one that was delivered sends nothing again', async () => {
    receiver.answer = () => ({ status: 200 });
    const call = await webhooks.call(receiver.url());
    const row = await webhooks.untilState(call, 'DELIVERED');
    await webhooks.history(row);
    await operator.reset(deliveryWorkflowId(row.id, row.round));
    await waitUntil('the new run ended', async () => {
      const { status, raw } = await webhooks.workflow(row).describe();
      return raw.workflowExtendedInfo?.originalStartTime != null && status.name === 'COMPLETED';
    });
    expect(receiver.received).toHaveLength(1);
  });

  test('deleted, or lost with Temporal’s data: it is handed off again and goes on in its schedule', async () => {
    const { call, row } = await waiting();
    const temporal = await temporalCommand();
    const { namespace } = webhooks.namespace;
    await temporal('workflow', 'delete', '--workflow-id', deliveryWorkflowId(row.id, 1), '--namespace', namespace);
    // No list shows it any more: it is met when its next try is overdue.
    await webhooks.db
      .updateTable('webhook_deliveries')
      .set({ next_try_at: new Date(Date.now() - 120_000) })
      .execute();
    expect(await webhooks.untilState(call, 'DELIVERED', 60)).toMatchObject({ round: 2, tries: 3 });
    expect(receiver.received).toHaveLength(3);
  });
});

test('a look at overdue deliveries leaves alone those whose workflow runs, and comes to all of them in turn', async () => {
  const { client } = webhooks.namespace;
  const call = await webhooks.call(receiver.url());
  await webhooks.happen(call, 120);
  const dispatcher = startDispatcher({ config: webhooks.config, temporal: client, log, mend: () => Promise.resolve() });
  await waitUntil('handed off', async () =>
    (await webhooks.deliveries({ call })).every(({ started_at }) => started_at !== null),
  );
  await dispatcher.close();
  const rows = await webhooks.deliveries({ call });
  await webhooks.workflow(rows.at(-1)!).terminate();
  // Long ago, by Temporal's list as well.
  await webhooks.db
    .updateTable('webhook_deliveries')
    .set({ started_at: new Date(0) })
    .execute();
  const unlisted = Object.create(client, {
    workflowService: {
      value: { listWorkflowExecutions: () => Promise.resolve({ executions: [], nextPageToken: new Uint8Array() }) },
    },
  }) as typeof client;
  const look = mendDeliveries({ db: webhooks.db, temporal: unlisted, log });
  expect([await look(), await look(), await look()]).toEqual([0, 1, 0]);
  const after = await webhooks.deliveries({ call });
  expect(after.filter(({ state }) => state === 'PENDING')).toHaveLength(120);
  expect(after.at(-1)).toMatchObject({ state: 'FAILED', last_error: 'workflow terminated' });
});
