import { randomUUID } from 'node:crypto';

import type { ReportStatus } from '../../src/call/call';
import { receiveReport as receive } from '../../src/intake/provider-reports';
import { createLog } from '../../src/log';
import type { Database } from '../../src/store/database';
import { findCall } from '../../src/store/calls';
import { recordOnTheLine } from '../../src/store/dials';
import { findReport, type ProviderReport } from '../../src/store/provider-reports';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { endingWithoutSlots } from '../support/ending-without-slots';
import { callOnSlot } from '../store/records';

let database: TestDatabase;
let db: Database;
let slot = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());

const reportOf = (externalCallId: string, status: ReportStatus = 'COMPLETED'): ProviderReport => ({
  externalCallId,
  status,
  durationSec: 5,
  failureReason: null,
  completedAt: new Date(),
});
/** @returns the attempt that it is about */
const receiveReport = async (report: ProviderReport, namedAttemptId: string | null) =>
  (await receive(endingWithoutSlots(db, createLog('test', 'silent')), report, namedAttemptId))?.attempt.id;
const stored = (externalCallId: string) =>
  db.selectFrom('provider_reports').selectAll().where('external_call_id', '=', externalCallId).orderBy('id').execute();

/** An attempt in progress; the provider's id of it is known where given. */
async function attempt(externalCallId?: string): Promise<{ callId: string; attemptId: string }> {
  const { call, attemptId } = await callOnSlot(db, ++slot);
  const ids = { callId: call.id, attemptId };
  if (externalCallId !== undefined) await recordOnTheLine(db, ids, externalCallId);
  return ids;
}

test('a report that names its attempt is the attempt’s, before the provider’s id of it is known', async () => {
  const { attemptId } = await attempt();
  expect(await receiveReport(reportOf('early'), attemptId)).toBe(attemptId);
  expect(await findReport(db, attemptId)).toMatchObject({ status: 'COMPLETED', externalCallId: 'early' });
});

test('a report that names no attempt is matched by the provider’s id', async () => {
  const { attemptId } = await attempt('by-id');
  expect(await receiveReport(reportOf('by-id'), null)).toBe(attemptId);
});

test('a report that names an attempt known to be another call of the provider’s goes by the provider’s id', async () => {
  const [right, wrong] = [await attempt('right'), await attempt('wrong')];
  expect(await receiveReport(reportOf('right'), wrong.attemptId)).toBe(right.attemptId);
  expect(await findReport(db, wrong.attemptId)).toBeUndefined();

  // And is nobody's where that id is not known either.
  expect(await receiveReport(reportOf('neither'), wrong.attemptId)).toBeUndefined();
  expect(await findReport(db, wrong.attemptId)).toBeUndefined();
});

test('a report that names an attempt there is none of goes by the provider’s id', async () => {
  const { attemptId } = await attempt('known');
  expect(await receiveReport(reportOf('known'), randomUUID())).toBe(attemptId);
});

test('a report of an unknown call is kept, and becomes the attempt’s once its id is known', async () => {
  expect(await receiveReport(reportOf('later', 'BUSY'), null)).toBeUndefined();
  expect(await stored('later')).toMatchObject([{ attempt_id: null }]);
  const ids = await attempt();
  expect(await recordOnTheLine(db, ids, 'later')).toEqual({ kind: 'ON_THE_LINE', reportsWaiting: true });
  expect(await findReport(db, ids.attemptId)).toMatchObject({ status: 'BUSY' });
});

test('a report kept of an unknown call becomes the attempt’s that a repeat names', async () => {
  const { attemptId } = await attempt();
  await receiveReport(reportOf('unnamed'), null);
  expect(await receiveReport(reportOf('unnamed'), attemptId)).toBe(attemptId);
  expect(await stored('unnamed')).toMatchObject([{ attempt_id: attemptId }]);
});

test('a report that comes ten times at once is stored once', async () => {
  const { attemptId } = await attempt('repeated');
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, i) => receiveReport(reportOf('repeated'), i % 2 === 0 ? attemptId : null)),
  );
  expect(new Set(answers)).toEqual(new Set([attemptId]));
  expect(await stored('repeated')).toHaveLength(1);
});

test('of two reports that contradict each other the first counts, whatever comes after', async () => {
  const { callId, attemptId } = await attempt('twofold');
  for (const status of ['NO_ANSWER', 'COMPLETED', 'NO_ANSWER', 'FAILED'] as const) {
    expect(await receiveReport(reportOf('twofold', status), attemptId)).toBe(attemptId);
  }
  expect(await findCall(db, callId)).toMatchObject({ status: 'IN_PROGRESS' });
  expect(await findReport(db, attemptId)).toMatchObject({ status: 'NO_ANSWER' });
  expect(await stored('twofold')).toHaveLength(3);
});

test('a repeat cannot take a report from the attempt that has it', async () => {
  const [first, second] = [await attempt(), await attempt()];
  await receiveReport(reportOf('taken'), first.attemptId);
  await receiveReport(reportOf('taken'), second.attemptId);
  expect(await findReport(db, first.attemptId)).toBeDefined();
  expect(await findReport(db, second.attemptId)).toBeUndefined();
  // Nor can it end another's call.
  expect(await findCall(db, first.callId)).toMatchObject({ status: 'COMPLETED' });
  expect(await findCall(db, second.callId)).toMatchObject({ status: 'IN_PROGRESS' });
});

test('a report of an attempt that has ended is stored and answered like any other', async () => {
  const { attemptId } = await attempt('over');
  await db
    .updateTable('attempts')
    .set({ ended_at: new Date(), outcome: 'CANCELED' })
    .where('id', '=', attemptId)
    .execute();
  expect(await receiveReport(reportOf('over'), attemptId)).toBe(attemptId);
  expect(await stored('over')).toHaveLength(1);
});
