import type { Client } from '@temporalio/client';

import { readConfig } from '../../src/config';
import { Starter } from '../../src/intake/starter';
import { createLog } from '../../src/log';
import { acceptedCall } from '../store/records';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { waitUntil } from '../support/wait-until';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const policy = readConfig({});

/** A Temporal that takes each start when it is told to: what it is about is what is under way at once. */
function slowTemporal() {
  const waiting: (() => void)[] = [];
  const ids: string[] = [];
  const temporal = {
    workflow: {
      start: (_: unknown, { workflowId }: { workflowId: string }) => {
        ids.push(workflowId);
        return new Promise<void>((resolve) => waiting.push(resolve));
      },
    },
  } as unknown as Client;
  const starter = new Starter({ db: database.db, temporal, policy, log: createLog('test', 'silent') });
  return { starter, ids, waiting };
}

const callsOf = (count: number) => Promise.all(Array.from({ length: count }, () => acceptedCall(database.db)));

test('many calls are handed off in their order, as fast as Temporal takes them, none left to the sweep', async () => {
  const { starter, ids, waiting } = slowTemporal();
  const rows = await callsOf(100);
  let most = 0;
  const done = starter.handOffMany(rows);
  await waitUntil('all are handed off', () => {
    most = Math.max(most, waiting.length);
    waiting.shift()?.();
    return ids.length === rows.length;
  });
  while (waiting.length > 0) waiting.shift()?.();
  await done;
  expect(ids).toEqual(rows.map(({ id }) => `call-${id}`));
  expect(most).toBeLessThanOrEqual(32);
});

test('a Temporal that takes none holds up neither those who wait for many, nor a call that comes by itself', async () => {
  const { starter, ids } = slowTemporal();
  const [single, ...rows] = await callsOf(101);
  await starter.handOffMany(rows);
  expect(ids).toHaveLength(32);
  starter.handOffSoon(single!);
  await waitUntil('it is handed off', () => ids.at(-1) === `call-${single!.id}`);
});
