import { randomUUID } from 'node:crypto';

import { sql } from 'kysely';

import { appendRejection } from '../../src/store/call-events';
import { updateCall } from '../../src/store/calls';
import type { CallRow, Database } from '../../src/store/database';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { acceptedCall, newCall } from './records';
import { insertCalls } from '../../src/store/accepted-calls';

/** What is to be delivered is written with the event that it tells of. */
let database: TestDatabase;
let db: Database;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterEach(() => database.drop());

async function endpoint(values: { event_types?: 'call.completed'[]; disabled_at?: Date } = {}): Promise<string> {
  const { id } = await db
    .insertInto('webhook_endpoints')
    .values({ url: 'https://example.org/all', description: '', secrets: '[]', event_types: null, ...values })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

const deliveries = () =>
  db
    .selectFrom('webhook_deliveries')
    .innerJoin('call_events', 'call_events.id', 'webhook_deliveries.event_id')
    .select(['type', 'endpoint_id', 'webhook_deliveries.call_id', 'url', 'state', 'webhook_deliveries.started_at'])
    .orderBy('webhook_deliveries.seq')
    .execute();

const cancel = (call: CallRow) =>
  db.transaction().execute((trx) =>
    updateCall(trx, call.id, {
      from: ['PENDING'],
      to: 'CANCELED',
      set: {},
      events: [{ type: 'call.updated', reason: 'why' }, { type: 'call.canceled' }],
    }),
  );

test('one delivery for each event and each who wants it: the call’s own URL, and every endpoint', async () => {
  const [first, second] = [await endpoint(), await endpoint()];
  const call = await acceptedCall(db, { webhookUrl: 'https://example.org/own' });
  await cancel(call);
  const rows = await deliveries();
  for (const [index, type] of ['call.accepted', 'call.updated', 'call.canceled'].entries()) {
    const three = rows.slice(index * 3, index * 3 + 3);
    expect(three).toEqual(
      expect.arrayContaining(
        [first, second, null].map((endpoint_id) => ({
          ...{ type, endpoint_id, call_id: call.id, state: 'PENDING', started_at: null },
          url: `https://example.org/${endpoint_id === null ? 'own' : 'all'}`,
        })),
      ),
    );
  }
  expect(rows).toHaveLength(9);
});

test('nothing is written where nobody wants the event: no endpoint, a disabled one, one of other types, a URL that is gone', async () => {
  await cancel(await acceptedCall(db));
  await endpoint({ disabled_at: new Date() });
  await endpoint({ event_types: ['call.completed'] });
  const call = await acceptedCall(db, { webhookUrl: 'https://example.org/own' });
  await db.updateTable('calls').set({ webhook_gone_at: new Date() }).where('id', '=', call.id).execute();
  await cancel(call);
  expect((await deliveries()).map(({ type, endpoint_id }) => [type, endpoint_id])).toEqual([['call.accepted', null]]);
});

test('many calls accepted at once have each its own deliveries', async () => {
  await endpoint();
  const calls = Array.from({ length: 50 }, (_, i) => newCall(i % 2 ? { webhookUrl: 'https://example.org/own' } : {}));
  await insertCalls(db, calls);
  const rows = await deliveries();
  for (const { id, webhookUrl } of calls) {
    expect(rows.filter((row) => row.call_id === id)).toHaveLength(webhookUrl === null ? 1 : 2);
  }
});

test('a rejected message is told to endpoints, once however often it is come upon', async () => {
  await endpoint();
  const source = randomUUID();
  const reject = () => appendRejection(db, source, { requestId: null, reason: 'NUMBER_BUSY' });
  await reject();
  await reject();
  expect(await deliveries()).toMatchObject([{ type: 'call.rejected', call_id: null }]);
});

test('what is rolled back is not delivered', async () => {
  await endpoint();
  const call = await acceptedCall(db);
  await expect(
    db.transaction().execute(async (trx) => {
      await updateCall(trx, call.id, { from: ['PENDING'], set: {}, events: [{ type: 'call.updated' }] });
      throw new Error('back');
    }),
  ).rejects.toThrow('back');
  expect(await deliveries()).toHaveLength(1);
});

test('no event and target have two deliveries, whoever writes them', async () => {
  await acceptedCall(db, { webhookUrl: 'https://example.org/own' });
  const again = sql`insert into webhook_deliveries (event_id, call_id, url)
    select event_id, call_id, url from webhook_deliveries`;
  await expect(again.execute(db)).rejects.toThrow(/duplicate key/);
});

test('an endpoint that is deleted while an event is being written keeps the event from nothing', async () => {
  const id = await endpoint();
  await db.transaction().execute(async (trx) => {
    const [row] = await insertCalls(trx, [newCall()]);
    expect(row).toBeDefined();
    await db.deleteFrom('webhook_endpoints').where('id', '=', id).execute();
  });
  expect(await deliveries()).toHaveLength(1);
});

test('a call that is deleted takes its deliveries with it', async () => {
  const call = await acceptedCall(db, { webhookUrl: 'https://example.org/own' });
  await db.deleteFrom('calls').where('id', '=', call.id).execute();
  expect(await db.selectFrom('webhook_deliveries').selectAll().execute()).toEqual([]);
});
