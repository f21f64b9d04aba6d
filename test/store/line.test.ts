import { endAttempt } from '../../src/store/attempts';
import type { Database } from '../../src/store/database';
import {
  clearDoubt,
  doubtOfClaim,
  noteDoubt,
  readDial,
  recordOnTheLine,
  takeBackDoubtOfClaim,
  type Doubt,
} from '../../src/store/dials';
import { listStrayLines, readLine } from '../../src/store/orphans';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { callOnSlot, claim } from './records';

/** Who ends an attempt whose line is down, and who is about to dial for it, exclude each other. */
let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());
beforeEach(() => db.deleteFrom('calls').execute());

const end = (attemptId: string, lineSeen?: string) =>
  db
    .transaction()
    .execute((trx) =>
      endAttempt(trx, attemptId, { outcome: 'CANCELED', failureReason: null, durationSec: null }, lineSeen),
    );

async function doubtOf(attemptId: string): Promise<Doubt> {
  const doubt = await noteDoubt(db, attemptId);
  if (typeof doubt === 'string') throw new Error(doubt);
  return doubt;
}

const seenOf = async (attemptId: string) => (await readLine(db, attemptId))?.seen;

test('of a dial and an end at the same moment one comes about, never both', async () => {
  const came = { dialled: 0, ended: 0 };
  for (let round = 0; round < 100; round++) {
    const { attemptId } = await callOnSlot(db, 1);
    const seen = await seenOf(attemptId);
    const [doubt, ended] = await Promise.all([noteDoubt(db, attemptId), end(attemptId, seen)]);
    expect(doubt === 'ENDED').toBe(ended !== undefined);
    came[doubt === 'ENDED' ? 'ended' : 'dialled']++;
    await end(attemptId);
  }
  expect(came.dialled + came.ended).toBe(100);
});

test('an attempt that has ended is neither dialled for nor claimed again', async () => {
  const { call, attemptId } = await callOnSlot(db, 1);
  await end(attemptId);
  expect(await noteDoubt(db, attemptId)).toBe('ENDED');
  expect(await claim(db, call, attemptId, 1)).toEqual({ kind: 'OVER', status: 'SUPERSEDED' });
  expect(await readLine(db, attemptId)).toBeUndefined();
});

test('a line that changed since it was looked at keeps its attempt: asked for, refused, or accepted in between', async () => {
  const { call, attemptId } = await callOnSlot(db, 1);
  const before = await seenOf(attemptId);
  const doubt = await doubtOf(attemptId);
  expect(await end(attemptId, before)).toBeUndefined();

  const doubted = await seenOf(attemptId);
  await clearDoubt(db, attemptId, doubt);
  expect(await end(attemptId, doubted)).toBeUndefined();
  // Down again, as at first, and yet not the same: it was asked for in between.
  expect(await end(attemptId, before)).toBeUndefined();

  const cleared = await seenOf(attemptId);
  await noteDoubt(db, attemptId);
  await recordOnTheLine(db, { callId: call.id, attemptId }, 'accepted');
  expect(await end(attemptId, cleared)).toBeUndefined();
  expect(await end(attemptId, await seenOf(attemptId))).toMatchObject({ outcome: 'CANCELED' });
});

test('a try that was not placed ends no other try’s doubt', async () => {
  const { attemptId } = await callOnSlot(db, 1);
  const [first, second] = [await doubtOf(attemptId), await doubtOf(attemptId)];
  expect([doubtOfClaim.before, first.before, second.before]).toEqual([false, true, true]);
  for (const earlier of [doubtOfClaim, first]) expect(await clearDoubt(db, attemptId, earlier)).toBe(false);
  await takeBackDoubtOfClaim(db, attemptId);
  expect(await readDial(db, attemptId)).toMatchObject({ inDoubt: true });
  expect(await clearDoubt(db, attemptId, second)).toBe(true);
});

test('a claim notes the first try: a crash before its request leaves a doubt, and its refusal ends it', async () => {
  const { attemptId } = await callOnSlot(db, 1);
  expect(await readDial(db, attemptId)).toMatchObject({ inDoubt: true });
  expect(await clearDoubt(db, attemptId, doubtOfClaim)).toBe(true);
  expect(await doubtOf(attemptId)).toMatchObject({ before: false });
});

test('a call placed for an attempt that has ended is known as astray, and is not taken for the call’s', async () => {
  const { call, attemptId } = await callOnSlot(db, 1);
  await noteDoubt(db, attemptId);
  await end(attemptId);
  expect(await recordOnTheLine(db, { callId: call.id, attemptId }, 'astray')).toEqual({ kind: 'ASTRAY' });
  expect(await listStrayLines(db)).toMatchObject([{ attemptId, callId: call.id, externalCallId: 'astray' }]);
  const row = await db.selectFrom('calls').select('external_call_id').where('id', '=', call.id).executeTakeFirst();
  expect(row).toEqual({ external_call_id: null });
});
