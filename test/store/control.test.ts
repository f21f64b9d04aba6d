import { sql } from 'kysely';

import { lookHoldsMilliseconds, pauseDialling, readPause, resumeDialling, turnOfSwitch } from '../../src/store/control';
import { findCall } from '../../src/store/calls';
import type { Database } from '../../src/store/database';
import { noteDoubt, readDial, takeBackDoubtOfClaim } from '../../src/store/dials';
import { openSession } from '../../src/store/session';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { waitUntil } from '../support/wait-until';
import { acceptedCall, callOnSlot, claim, waitingAttempt } from './records';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());
beforeEach(async () => {
  await db.deleteFrom('calls').execute();
  await db.deleteFrom('control').execute();
});

test('a pause lasts, with its reason, until it is resumed; a repeat changes nothing of it', async () => {
  expect(await readPause(db)).toBeNull();
  expect(await resumeDialling(db)).toEqual({ pause: null, turned: false });
  const { pause, turned } = await pauseDialling(db, 'the provider is moved');
  expect([pause?.reason, turned]).toEqual(['the provider is moved', true]);
  expect(await pauseDialling(db, 'another')).toEqual({ pause, turned: false });
  expect(await readPause(db)).toEqual(pause);
  expect(await resumeDialling(db)).toEqual({ pause: null, turned: true });
  expect(await resumeDialling(db)).toEqual({ pause: null, turned: false });
  expect((await pauseDialling(db, null)).pause?.reason).toBeNull();
});

test('a pause is answered once no earlier look at the switch is acted upon any more', async () => {
  for (const pause of ['the first', 'a repeat']) {
    const askedAt = performance.now();
    await pauseDialling(db, pause);
    expect(performance.now() - askedAt).toBeGreaterThan(lookHoldsMilliseconds - 2);
  }
});

test('each turn has a number, odd while it is paused, however many turn it at once', async () => {
  for (let round = 0; round < 20; round++) {
    const turns = await Promise.all(
      Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? pauseDialling(db, null) : resumeDialling(db))),
    );
    const paused = (await readPause(db)) !== null;
    expect((await turnOfSwitch(db)) % 2 === 1).toBe(paused);
    expect(turns.filter(({ turned }) => turned).length % 2 === 1).toBe(paused);
    await resumeDialling(db);
  }
});

test('whoever listens hears of each turn', async () => {
  const session = await openSession(database.url, 'test');
  let heard = 0;
  await session.listen('control', () => heard++);
  await pauseDialling(db, null);
  await pauseDialling(db, null);
  await resumeDialling(db);
  await waitUntil('two turns heard', () => heard === 2);
  await session.close();
});

test('no claim that begins once the pause was answered begins an attempt, whatever was on its way', async () => {
  const came = { CLAIMED: 0, PAUSED: 0 };
  for (let round = 1; round <= 25; round++) {
    const calls = await Promise.all(Array.from({ length: 4 }, () => acceptedCall(db)));
    const attempts = await Promise.all(calls.map((call) => waitingAttempt(db, call)));
    const claimOf = (index: number) => claim(db, calls[index]!, attempts[index]!, index + 1);
    const [first, second] = await Promise.all([claimOf(0), claimOf(1), pauseDialling(db, null)]);
    for (const { kind } of [first, second]) came[kind as keyof typeof came]++;
    expect(await claimOf(2)).toEqual({ kind: 'PAUSED' });
    expect(await findCall(db, calls[2]!.id)).toMatchObject({ status: 'PENDING', attempts: 0, event_sequence: 1 });

    // What was claimed before stays claimed.
    if (first.kind === 'CLAIMED') expect(await claimOf(0)).toEqual({ kind: 'CLAIMED', slot: 1, number: 1 });
    await resumeDialling(db);
    expect(await claimOf(3)).toMatchObject({ kind: 'CLAIMED' });
    await db.deleteFrom('calls').execute();
  }
  expect(came.CLAIMED + came.PAUSED).toBe(50);
});

test('the provider is not asked while it is paused, and the attempt is in no doubt by that', async () => {
  const { attemptId } = await callOnSlot(db, 1);
  await takeBackDoubtOfClaim(db, attemptId);
  await pauseDialling(db, null);
  expect(await noteDoubt(db, attemptId)).toBe('PAUSED');
  expect(await readDial(db, attemptId)).toMatchObject({ inDoubt: false });
  await resumeDialling(db);
  expect(await noteDoubt(db, attemptId)).toMatchObject({ before: false });
});

test('the time that an attempt stood paused takes nothing from its patience', async () => {
  const { attemptId } = await callOnSlot(db, 1);
  await db
    .updateTable('attempts')
    .set({ started_at: sql`now() - interval '1 hour'` })
    .execute();
  expect((await readDial(db, attemptId)).elapsedSeconds).toBeGreaterThan(3_500);
  await pauseDialling(db, null);
  await resumeDialling(db);
  expect((await readDial(db, attemptId)).elapsedSeconds).toBeLessThan(60);
});
