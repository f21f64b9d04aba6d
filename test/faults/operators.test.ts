import { workflowId } from '../../src/call/names';
import { operatorTool } from '../support/temporal-cli';
import { waitUntil } from '../support/wait-until';
import { Stage } from './stage';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open({ settings: { MAX_CONCURRENT_CALLS: '4' }, callSeconds: 30 });
  await stage.service.start('api', 'worker');
}, 90_000);
afterAll(() => stage.close());

test('24: operators terminate, cancel and reset: record, slot and line are right within 60 s', () =>
  stage.rehearse(24, 'terminate, cancel, reset by an operator', async (rehearsal) => {
    let first = true;
    stage.decide = () => stage.usually({ seconds: first ? 60 : 1 });
    // Four on the line, three waiting; and one more of each kind that nobody touches.
    const calls = await rehearsal.place(4);
    await rehearsal.untilOnTheLine(4);
    calls.push(...(await rehearsal.place(4)));
    await rehearsal.untilWaiting(4);
    first = false;
    const [terminated, canceled, reset, , waitTerminated, waitCanceled, waitReset] = calls.map(({ id }) => id);
    const acted = performance.now();
    const operator = await operatorTool('temporal', stage.service.namespace.namespace);
    // Those that wait before any slot is free, or they would be dialled, and be over, before their turn here.
    await operator.terminate(workflowId(waitTerminated!));
    await operator.cancel(workflowId(waitCanceled!));
    await operator.reset(workflowId(waitReset!));
    await operator.terminate(workflowId(terminated!));
    await operator.cancel(workflowId(canceled!));
    await operator.reset(workflowId(reset!));
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
