import type { Database } from '../../src/store/database';
import { listEndedInQueue } from '../../src/store/orphans';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { acceptedCall, callIn, waitingAttempt } from './records';

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());
beforeEach(() => db.deleteFrom('calls').execute());

test('of the ended calls in the queue those that are next in it are listed, each once, and none that ended just now', async () => {
  const ended = await callIn(db, 'CANCELED');
  for (let attempt = 0; attempt < 2; attempt++) await waitingAttempt(db, ended);
  await waitingAttempt(db, await acceptedCall(db));
  const further = await callIn(db, 'EXPIRED');
  await waitingAttempt(db, further);
  const listed = async (nextInQueue: number, olderThanSeconds = 0) =>
    (await listEndedInQueue(db, { nextInQueue, olderThanSeconds })).sort();
  expect(await listed(3)).toEqual([ended.id]);
  expect(await listed(4)).toEqual([ended.id, further.id].sort());
  expect(await listed(4, 60)).toEqual([]);
});
