import type { Client } from '@temporalio/client';

import { readConfig } from '../../src/config';
import { acceptCalls } from '../../src/intake/accept-call';
import { Starter } from '../../src/intake/starter';
import { createLog } from '../../src/log';
import { findCall } from '../../src/store/calls';
import { clearHandoffs, listHandoffs } from '../../src/store/handoffs';
import { acceptedCall } from '../store/records';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { waitUntil } from '../support/wait-until';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const policy = readConfig({});

/** A Temporal that takes each start when it is told to: what it is about is what is under way at once. */
function slowTemporal() {
  const waiting: { take: () => void; refuse: () => void }[] = [];
  const ids: string[] = [];
  const temporal = {
    workflow: {
      start: (_: unknown, { workflowId }: { workflowId: string }) => {
        ids.push(workflowId);
        return new Promise<void>((resolve, reject) => {
          waiting.push({ take: resolve, refuse: () => reject(new Error('away')) });
        });
      },
      getHandle: (workflowId: string) => ({
        describe: () => {
          ids.push(`described ${workflowId}`);
          return Promise.reject(new Error('away'));
        },
      }),
    },
  } as unknown as Client;
  const starter = new Starter({ db: database.db, temporal, policy, log: createLog('test', 'silent') });
  const takeAll = () => {
    for (const { take } of waiting.splice(0)) take();
  };
  return { starter, ids, waiting, takeAll };
}

const callsOf = (count: number) => Promise.all(Array.from({ length: count }, () => acceptedCall(database.db)));
const workflowsOf = (rows: { id: string }[]) => rows.map(({ id }) => `call-${id}`);
const untold = () => listHandoffs(database.db, { olderThanSeconds: 0, limit: 1_000 });

test('many calls are handed off in their order, as fast as Temporal takes them, none left to the sweep', async () => {
  const { starter, ids, waiting, takeAll } = slowTemporal();
  const rows = await callsOf(100);
  starter.handOffSoon(...rows);
  let most = 0;
  await waitUntil('all are handed off', () => {
    most = Math.max(most, waiting.length);
    takeAll();
    return ids.length === rows.length;
  });
  takeAll();
  expect(ids).toEqual(workflowsOf(rows));
  expect(most).toBeLessThanOrEqual(32);
  await waitUntil('every order is off its row', async () => (await untold()).length === 0);
});

test('while calls pour in they are handed off for a part of the time, and all of it once they do not', async () => {
  const { starter, ids, waiting, takeAll } = slowTemporal();
  const [done, ...rows] = await callsOf(101);
  // Whoever pours in has been told of already: only the others are seen at Temporal.
  await clearHandoffs(database.db, [{ row: done! }]);
  const pourUntil = (what: string, condition: () => boolean) =>
    waitUntil(what, () => {
      starter.handOffSoon(...Array.from({ length: 32 }, () => done!));
      return condition();
    });
  await pourUntil('they pour in', () => starter.startsWithinSeconds > 0);
  takeAll();
  await waitUntil('nobody waits', () => starter.startsWithinSeconds === 0);
  ids.length = 0;
  starter.handOffSoon(...rows);
  await pourUntil('a group is under way', () => waiting.length > 0);
  const beganAt = performance.now();
  await pourUntil('it has taken a while', () => performance.now() - beganAt > 50);
  takeAll();
  const endedAt = performance.now();
  await pourUntil('the next is under way', () => waiting.length > 0);
  expect(performance.now() - endedAt).toBeGreaterThan(3 * (endedAt - beganAt));

  await waitUntil('all are handed off', () => {
    takeAll();
    return ids.length === rows.length;
  });
  expect(ids).toEqual(workflowsOf(rows));
});

test('a call that was edited or canceled is told of at once, however many wait to be started', async () => {
  const { starter, ids } = slowTemporal();
  const [canceled, ...rows] = await callsOf(201);
  starter.handOffSoon(...rows);
  starter.handOffSoon({ ...canceled!, handoff: 'CANCEL', status: 'CANCELED' });
  await waitUntil('it is told', () => ids.includes(`described call-${canceled!.id}`));
});

test('a call accepted while many wait is no business of the sweep until its turn should have come', async () => {
  const { starter, takeAll, ids } = slowTemporal();
  const rows = await callsOf(200);
  starter.handOffSoon(...rows);
  const within = starter.startsWithinSeconds;
  expect(within).toBeGreaterThan(1);
  const incoming = { request: { to: '+966501234567', scriptId: 'late' }, requestKey: null, source: null };
  const [answer] = await acceptCalls(database.db, policy, [incoming], within);
  expect(answer?.kind).toBe('ACCEPTED');
  if (answer?.kind !== 'ACCEPTED') return;
  expect((await untold()).map(({ id }) => id)).not.toContain(answer.row.id);
  const row = await findCall(database.db, answer.row.id);
  expect(row?.handoff_at?.getTime()).toBeGreaterThan((row?.created_at.getTime() ?? Infinity) + 1_000);

  starter.handOffSoon(answer.row);
  await waitUntil('its turn comes', () => {
    takeAll();
    return ids.at(-1) === `call-${answer.row.id}`;
  });
  takeAll();
  await waitUntil('nobody waits any more', () => starter.startsWithinSeconds === 0);
});

test('where Temporal is away, whatever waits is left in the rows, and the next call is tried again', async () => {
  const { starter, ids, waiting } = slowTemporal();
  const [next, ...rows] = await callsOf(201);
  starter.handOffSoon(...rows);
  const refuseAll = () => {
    for (const { refuse } of waiting.splice(0)) refuse();
  };
  await waitUntil('nobody waits any more', () => {
    refuseAll();
    return starter.startsWithinSeconds === 0;
  });
  const told = ids.length;
  expect(told).toBeLessThan(100);
  await waitUntil('the next is tried', () => {
    starter.handOffSoon(next!);
    refuseAll();
    return ids.includes(`call-${next!.id}`);
  });
  expect((await untold()).length).toBe(201);
});
