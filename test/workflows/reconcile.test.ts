import { join } from 'node:path';
import { Writable } from 'node:stream';

import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import pino from 'pino';

import { taskQueue } from '../../src/call/names';
import { reconcilerDuties, type ReconcilerDuty } from '../../src/call/reconciler-duties';
import { readConfig } from '../../src/config';
import { sdkLog } from '../../src/start/sdk-log';
import { createTestNamespace, type TestNamespace } from '../support/temporal';

/** What an operator reads of the reconciler in the worker's log. */
const lines: Record<string, unknown>[] = [];
const log = pino(
  { base: null },
  new Writable({
    write(line: Buffer, _, done) {
      lines.push(JSON.parse(line.toString()) as Record<string, unknown>);
      done();
    },
  }),
);

let namespace: TestNamespace;
beforeAll(async () => {
  Runtime.install({ logger: sdkLog(log), shutdownSignals: [] });
  namespace = await createTestNamespace();
});
afterAll(() => namespace.close());

type Outcome = number | Error;

/** One run of so many rounds; in each, the duties named come out so, and the others find nothing to do. */
async function reconcile(rounds: Partial<Record<ReconcilerDuty, Outcome>>[]): Promise<unknown> {
  const done: Partial<Record<ReconcilerDuty, number>> = {};
  const activities = reconcilerDuties.map((duty) => [
    duty,
    () => {
      const round = (done[duty] = (done[duty] ?? 0) + 1);
      const outcome = rounds[round - 1]?.[duty] ?? 0;
      if (outcome instanceof Error) throw outcome;
      return Promise.resolve(outcome);
    },
  ]);
  const connection = await NativeConnection.connect({ address: readConfig(process.env).TEMPORAL_ADDRESS });
  const worker = await Worker.create({
    connection,
    namespace: namespace.namespace,
    taskQueue,
    workflowBundle: { codePath: join(__dirname, '../../dist/workflow-bundle.js') },
    activities: Object.fromEntries(activities) as Record<string, () => Promise<number>>,
  });
  lines.length = 0;
  const result: unknown = await worker.runUntil(
    namespace.client.workflow.execute('reconcile', {
      workflowId: `reconcile-${rounds.length}`,
      taskQueue,
      args: [{ everySeconds: 0.01, rounds: rounds.length }],
    }),
  );
  await connection.close();
  return result;
}

const told = () => lines.filter(({ msg }) => String(msg).startsWith('reconciler'));

test('each round that mended something is one line, with the counts by duty; the others are none', async () => {
  await reconcile([{}, { deliverReports: 3, endOrphanedAttempts: 1 }, {}, { auditSlots: 2 }]);
  expect(told()).toMatchObject([
    { level: 30, msg: 'reconciler: mended', deliverReports: 3, endOrphanedAttempts: 1 },
    { level: 30, msg: 'reconciler: mended', auditSlots: 2 },
  ]);
  expect(told()[0]).not.toHaveProperty('auditSlots');
});

test('a duty that fails is a warning with its cause, and keeps no other from its work', async () => {
  const failure = new Error('cannot reach PostgreSQL', { cause: new Error('connection refused') });
  expect(await reconcile([{ expireOverdue: failure, resendGrants: 1 }, {}, {}])).toEqual(
    Object.fromEntries(reconcilerDuties.map((duty) => [duty, 0])),
  );
  expect(told()).toMatchObject([
    { level: 40, duty: 'expireOverdue', cause: 'ApplicationFailure: cannot reach PostgreSQL' },
    { msg: 'reconciler: mended', resendGrants: 1 },
  ]);
  // The SDK's own line has the causes as well.
  const failed = lines.find(({ msg }) => msg === 'Activity failed');
  expect(failed).toMatchObject({
    level: 40,
    err: { message: expect.stringContaining('connection refused') as string },
  });
});
