import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { findTemporalCli } from '../../infra/services/temporal';
import { workflowId } from '../../src/call/names';
import { readConfig } from '../../src/config';
import { waitUntil } from '../support/wait-until';
import { Stage } from './stage';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open({ settings: { MAX_CONCURRENT_CALLS: '4' }, callSeconds: 30 });
  await stage.service.start('api', 'worker');
}, 90_000);
afterAll(() => stage.close());

/** As an operator types it. */
async function temporal(command: string, callId: string, ...options: string[]): Promise<void> {
  const program = await findTemporalCli();
  const { TEMPORAL_ADDRESS } = readConfig(process.env);
  const where = ['--address', TEMPORAL_ADDRESS, '--namespace', stage.service.namespace.namespace];
  await promisify(execFile)(program, ['workflow', command, '--workflow-id', workflowId(callId), ...options, ...where]);
}

test('24: operators terminate, cancel and reset: record, slot and line are right within 60 s', () =>
  stage.rehearse(24, 'terminate, cancel, reset by an operator', async (rehearsal) => {
    let first = true;
    stage.decide = () => stage.usually({ seconds: first ? 60 : 1 });
    // Four on the line, three waiting; and one more of each kind that nobody touches.
    const calls = await rehearsal.place(8);
    await rehearsal.untilOnTheLine(4);
    first = false;
    const [terminated, canceled, reset, , waitTerminated, waitCanceled, waitReset] = calls.map(({ id }) => id);
    const acted = performance.now();
    const firstRun = ['--type', 'FirstWorkflowTask', '--reason', 'rehearsal'];
    await temporal('terminate', terminated!, '--reason', 'rehearsal');
    await temporal('cancel', canceled!);
    await temporal('reset', reset!, ...firstRun);
    await temporal('terminate', waitTerminated!, '--reason', 'rehearsal');
    await temporal('cancel', waitCanceled!);
    await temporal('reset', waitReset!, ...firstRun);
    rehearsal.fired(6);

    for (const id of [terminated!, canceled!, waitTerminated!, waitCanceled!]) {
      expect(await stage.service.untilFinal(id, 60)).toMatchObject({ status: 'CANCELED' });
    }
    for (const id of [reset!, waitReset!]) {
      expect(await stage.service.untilFinal(id, 60)).toMatchObject({ status: 'COMPLETED' });
    }
    // Of the first four only the one that nobody touched is still on the line, and its slot is the only one held.
    await waitUntil('line and slots right', async () => {
      const { slots } = await stage.service.metrics();
      return stage.provider.stats().active <= 1 && slots.held <= 1 && (await stage.redis.hlen('{slots}:holders')) <= 1;
    });
    expect(performance.now() - acted).toBeLessThan(60_000);
    await stage.service.post(`/calls/${calls[3]!.id}/cancel`);
    rehearsal.over();
  }));
