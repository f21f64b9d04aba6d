import { WorkflowNotFoundError, type Client } from '@temporalio/client';

import type { SlotGranted } from '../../src/call/workflow-messages';
import { createLog } from '../../src/log';
import { auditSlots } from '../../src/reconciler/audit-slots';
import type { Semaphore } from '../../src/slots/semaphore';
import { SlotsUnderTest } from '../slots/slots-under-test';

let slots: SlotsUnderTest;
let semaphore: Semaphore;
const told: SlotGranted[] = [];

/** Takes every signal, as running workflows would; Temporal has no other part in this duty. */
const temporal = {
  workflow: {
    getHandle: (id: string) => ({
      signal: (_: string, granted: SlotGranted) => {
        if (!id.startsWith('call-')) throw new WorkflowNotFoundError('not found', id, undefined);
        told.push(granted);
        return Promise.resolve();
      },
    }),
  },
} as unknown as Client;

const audit = () => auditSlots({ db: slots.db, temporal, semaphore, log: createLog('test', 'silent') });

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
});
afterAll(() => slots.close());
beforeEach(async () => {
  await slots.empty();
  told.length = 0;
  semaphore = await slots.ready(1);
});

test('a slot confirmed for an attempt that had ended by then goes to the one that waits', async () => {
  const [late, next] = await slots.waiting(2);
  if (!late || !next) throw new Error('two were to wait');
  await semaphore.acquire(late, late.queueSeq);
  await slots.claim(late, 1);
  await slots.end(late);
  await semaphore.release(late);
  // The late half of a claim, or of a correction that read the record before the end.
  await semaphore.confirm(late, 1);
  await semaphore.acquire(next, next.queueSeq);
  expect(told).toEqual([]);

  expect(await audit()).toBe(1);
  expect(told).toEqual([{ attemptId: next.attemptId, slot: 1 }]);
  expect(await audit()).toBe(0);
  await slots.expectSound();
});

test('an attempt in progress that Redis has lost sight of is noted on its slot again', async () => {
  const [live, next] = await slots.waiting(2);
  if (!live || !next) throw new Error('two were to wait');
  await semaphore.acquire(live, live.queueSeq);
  await slots.claim(live, 1);
  await semaphore.confirm(live, 1);
  await semaphore.release(live);

  expect(await audit()).toBe(1);
  expect((await semaphore.acquire(next, next.queueSeq)).value).toBe(0);
  expect(await audit()).toBe(0);
  await slots.expectSound();
});

test('what agrees with the record is left alone, a grant on its way as well', async () => {
  const one = await slots.one();
  await semaphore.acquire(one, one.queueSeq);
  expect(await audit()).toBe(0);
  expect(await semaphore.holders()).toEqual([{ callId: one.callId, attemptId: one.attemptId, slot: 1 }]);
});
