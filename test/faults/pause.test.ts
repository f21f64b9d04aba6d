import { sql } from 'kysely';

import { waitUntil } from '../support/wait-until';
import { Stage } from './stage';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open({ callSeconds: 4 });
  await stage.service.start('api', 'worker');
}, 120_000);
afterAll(() => stage.close());

async function turn(to: 'pause' | 'resume'): Promise<void> {
  expect((await stage.service.post(`/control/${to}`, {})).status).toBe(200);
}

/** Nobody was dialled further ahead of the order of acceptance than there are slots. */
function expectOrderKept(): void {
  const dialled = stage.dialled.map(({ to }) => to);
  const accepted = [...dialled].sort();
  expect(Math.max(...dialled.map((to, index) => accepted.indexOf(to) - index))).toBeLessThanOrEqual(stage.limit);
}

test('26: dialling is paused with 30 on the line and 50 waiting, the worker killed and Redis emptied meanwhile: nothing is dialled until it is resumed, and then all in their order', () =>
  stage.rehearse(26, 'paused, 30 on the line, 50 waiting; worker killed, Redis flushed', async (rehearsal) => {
    const release = stage.holdTheLine();
    await rehearsal.place(30);
    await rehearsal.untilOnTheLine(30);
    await rehearsal.place(50);
    await rehearsal.untilWaiting(50);
    stage.decide = () => stage.usually({ seconds: 3 });

    await turn('pause');
    expect(stage.dialled).toHaveLength(30);
    const worker = stage.service.processes.find(({ role }) => role === 'worker')!;
    await worker.crash();
    stage.service.forget(worker);
    rehearsal.fired();
    await stage.redis.flushdb();
    rehearsal.fired();
    // The calls on the line go on, and end.
    release();
    await stage.service.start('worker');
    await waitUntil('the thirty have ended', async () => (await stage.service.metrics())['COMPLETED'] === 30, 60);
    await rehearsal.place(5);
    await rehearsal.untilWaiting(55);
    await stage.redis.flushdb();
    rehearsal.fired();
    await untilReconciled();
    const { slots } = await stage.service.metrics();
    expect([slots.held, slots.waiting, stage.dialled.length]).toEqual([0, 55, 30]);

    await turn('resume');
    rehearsal.over();
    await rehearsal.converge();
    expect(stage.dialled).toHaveLength(85);
    expectOrderKept();
    for (const id of rehearsal.callIds) expect(await stage.service.call(id)).toMatchObject({ attempts: 1 });
  }));

test('26: dialling is paused amid dialling: no request to the provider leaves after the answer', () =>
  stage.rehearse(26, 'paused amid dialling', async (rehearsal) => {
    stage.decide = () => stage.usually({ seconds: 1 });
    await rehearsal.place(60);
    await waitUntil('some dialled, and some not', () => stage.dialled.length >= 10);
    await turn('pause');
    rehearsal.fired();
    const { db } = stage.service.database;
    const { rows } = await sql<{ answered: Date }>`select clock_timestamp() as answered`.execute(db);
    const atAnswer = stage.dialled.length;
    expect(atAnswer).toBeLessThan(60);
    await waitUntil('what was on the line has ended', () => stage.lineIsQuiet());
    await untilReconciled();
    const { left, late } = await db
      .selectFrom('attempts')
      .select((eb) => [
        eb.fn.countAll<number>().filterWhere('asked_at', 'is not', null).as('left'),
        eb.fn.countAll<number>().filterWhere('asked_at', '>', rows[0]!.answered).as('late'),
      ])
      .where('call_id', 'in', rehearsal.callIds)
      .executeTakeFirstOrThrow();
    expect([late, left]).toEqual([0, stage.dialled.length]);
    // What had left by then arrived.
    expect(left - atAnswer).toBeLessThan(10);

    await turn('resume');
    rehearsal.over();
    await rehearsal.converge();
    expect(stage.dialled).toHaveLength(60);
    expectOrderKept();
  }));

/** Rounds that began after this, and are over. */
async function untilReconciled(): Promise<void> {
  const lastRound = async () => {
    const response = await stage.service.request('/metrics', { headers: { Accept: 'text/plain' } });
    return Number(/^orchestrator_reconciler_last_round_timestamp_seconds (\S+)$/m.exec(await response.text())?.[1]);
  };
  const from = Date.now() / 1_000;
  await waitUntil('two rounds of the reconciler', async () => (await lastRound()) > from + 2, 60);
}
