import { updateCall } from '../../src/store/calls';
import type { Database, Handoff } from '../../src/store/database';
import { clearHandoffs, listHandoffs, requireStart } from '../../src/store/handoffs';
import { findCall } from '../../src/store/calls';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { acceptedCall } from './records';

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());
beforeEach(() => db.deleteFrom('calls').execute());

const order = (id: string, handoff: Handoff, secondsAgo: number) =>
  db
    .updateTable('calls')
    .set({ handoff, handoff_at: new Date(Date.now() - secondsAgo * 1_000) })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();

test('orders are listed from the oldest, as many as asked for, and none that is young', async () => {
  const [young, old, older] = [await acceptedCall(db), await acceptedCall(db), await acceptedCall(db)];
  await order(young.id, 'START', 1);
  await order(old.id, 'EDITED', 20);
  await order(older.id, 'CANCEL', 30);
  const listed = async (limit: number) => (await listHandoffs(db, { olderThanSeconds: 10, limit })).map(({ id }) => id);
  expect(await listed(10)).toEqual([older.id, old.id]);
  expect(await listed(1)).toEqual([older.id]);
});

test('an order that was carried out is off the list; doing so again changes nothing', async () => {
  const row = await acceptedCall(db);
  for (let i = 0; i < 2; i++) await clearHandoffs(db, [{ row }]);
  expect(await findCall(db, row.id)).toMatchObject({ handoff: null, handoff_at: null });
});

test('an order given while the one before was carried out stays', async () => {
  const carriedOut = await acceptedCall(db);
  await db.transaction().execute((trx) =>
    updateCall(trx, carriedOut.id, {
      from: ['PENDING'],
      set: { script_id: 'edited', handoff: 'START' },
      events: [{ type: 'call.updated', reason: 'edited' }],
    }),
  );
  await clearHandoffs(db, [{ row: carriedOut }]);
  expect(await findCall(db, carriedOut.id)).toMatchObject({ handoff: 'START' });
});

test('a call without a workflow to tell is ordered to be started once, in a round of its own', async () => {
  const row = await order((await acceptedCall(db)).id, 'EDITED', 5);
  await Promise.all([requireStart(db, row), requireStart(db, row)]);
  expect(await findCall(db, row.id)).toMatchObject({ handoff: 'START', round: 2 });
});

test('a call that ended meanwhile is not ordered to be started', async () => {
  const row = await order((await acceptedCall(db)).id, 'EDITED', 5);
  await db.updateTable('calls').set({ status: 'EXPIRED' }).where('id', '=', row.id).execute();
  await requireStart(db, row);
  expect(await findCall(db, row.id)).toMatchObject({ handoff: 'EDITED', round: 1 });
});
