import { readConfig } from '../../src/config';
import { Toxiproxy } from '../support/toxiproxy';
import { waitUntil } from '../support/wait-until';
import { Stage } from './stage';

let toxiproxy: Toxiproxy;
let stage: Stage;

beforeAll(async () => {
  toxiproxy = await Toxiproxy.open();
});
afterAll(() => toxiproxy.close());
beforeEach(async () => {
  stage = await Stage.open();
  await stage.service.start('api');
}, 90_000);
afterEach(() => stage.close());

test('1: a worker dies after the provider accepted, before that was recorded: the retry finds the call', () =>
  stage.rehearse(1, 'worker dies between acceptance and record', async (rehearsal) => {
    const dying = await stage.service.run('worker');
    stage.decide = () => {
      // At this very moment: the provider has taken the call, and its answer will find nobody.
      if (!dying.ended) dying.signal('SIGKILL');
      rehearsal.fired();
      return stage.usually({ seconds: 20, answer: { kind: 'accepted', afterSeconds: 0.2 } });
    };
    const [call] = await rehearsal.place(1);
    await waitUntil('worker dead', () => dying.ended);
    expect(await stage.service.call(call!.id)).toMatchObject({ status: 'IN_PROGRESS', externalCallId: null });
    await stage.service.start('worker');
    await waitUntil('asked again', () => stage.provider.stats().replays > 0, 60);
    rehearsal.over();
    expect(await stage.service.untilFinal(call!.id)).toMatchObject({ status: 'COMPLETED', attempts: 1 });
    expect(stage.provider.stats().dials).toBe(1);
  }));

test('2: a worker that was paused while another took over changes nothing when it goes on', () =>
  stage.rehearse(2, 'worker paused, resumed when overtaken', async (rehearsal) => {
    const way = await toxiproxy.to(readConfig(process.env).TEMPORAL_ADDRESS);
    const paused = await stage.service.run('worker', { TEMPORAL_ADDRESS: way.address });
    stage.decide = ({ nth }) => {
      if (nth > 1) return stage.usually({ seconds: 6 });
      paused.signal('SIGSTOP');
      rehearsal.fired();
      return stage.usually({ outcome: 'BUSY', seconds: 0.5, answer: { kind: 'accepted', afterSeconds: 0.2 } });
    };
    const [call] = await rehearsal.place(1);
    await waitUntil('paused', () => stage.dialled.length === 1);
    // Else Temporal would go on handing it tasks, for as long as its polls are open: a minute.
    await way.cut();
    await stage.service.start('worker');
    // The other worker has taken the first attempt to its end, and is on the line with the second.
    await waitUntil('second attempt', () => stage.dialled.length === 2 && stage.provider.stats().active === 1, 60);
    const second = await waitUntil(
      'recorded',
      async () => (await stage.service.call(call!.id)).externalCallId ?? undefined,
    );
    paused.signal('SIGCONT');
    await way.restore();
    rehearsal.over();
    expect(await stage.service.untilFinal(call!.id)).toMatchObject({
      status: 'COMPLETED',
      attempts: 2,
      externalCallId: second,
    });
    expect(stage.provider.stats().dials).toBe(2);
  }));

test('3: all workers are killed with 30 in progress: every call ends, and no slot is lost', () =>
  stage.rehearse(3, 'all workers killed, 30 in progress', async (rehearsal) => {
    const workers = [await stage.service.run('worker'), await stage.service.run('worker')];
    const release = stage.holdTheLine();
    await rehearsal.place(40);
    await rehearsal.untilOnTheLine(30);
    await rehearsal.untilWaiting(10);
    await Promise.all(workers.map((worker) => worker.crash()));
    rehearsal.fired(workers.length);
    release();
    // Nobody carries workflows on while all 30 end: their ends are written down, and nobody is dialled.
    await waitUntil('line quiet', () => stage.lineIsQuiet());
    await waitUntil('30 ends in the record, and ten that wait', async () => {
      const { COMPLETED, slots } = await stage.service.metrics();
      return COMPLETED === 30 && slots.held === 0 && slots.waiting === 10;
    });
    stage.decide = () => stage.usually();
    await stage.service.start('worker');
    rehearsal.over();
  }));

test("9: a worker's clock is ten minutes ahead: no slot is taken early", async () => {
  await stage.close();
  stage = await Stage.open({ settings: { MAX_CONCURRENT_CALLS: '3', MAX_CALL_SECONDS: '60' } });
  await stage.service.start('api', 'worker');
  await stage.rehearse(9, 'a clock ten minutes ahead', async (rehearsal) => {
    const ahead = await stage.service.run('worker', {
      LD_PRELOAD: process.env['FAKETIME_LIBRARY']!,
      FAKETIME: '+10m',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    });
    await rehearsal.place(15);
    await rehearsal.converge();
    const dialled = ahead.output.split('\n').filter((line) => line.includes('"msg":"on the line"'));
    for (const line of dialled) {
      const { time } = JSON.parse(line) as { time: number | string };
      if (new Date(time).getTime() > Date.now() + 500_000) rehearsal.fired();
    }
    expect(stage.dialled).toHaveLength(15);
  });
});
