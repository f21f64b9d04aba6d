import { cancelCall } from '../../src/intake/change-call';
import { appendRejection } from '../../src/store/call-events';
import { findCall } from '../../src/store/calls';
import { readPersonalDataWork } from '../../src/store/personal-data-work';
import { storeReport } from '../../src/store/provider-reports';
import { ensureRetentionSchedule } from '../../src/start/retention-schedule';
import { allTables } from '../support/all-tables';
import { Carrier } from '../support/carrier';
import { waitUntil } from '../support/wait-until';

let carrier: Carrier;
beforeEach(async () => {
  carrier = await Carrier.open();
  await carrier.startWorker();
});
afterEach(() => carrier.close());

const client = () => carrier.namespace.client;

/** Calls that ended so many days ago, told to everybody. */
async function endedCalls(count: number, days: number): Promise<string[]> {
  const rows = await carrier.acceptMany(count);
  for (const { id } of rows) await cancelCall(carrier.db, id);
  await carrier.db
    .updateTable('calls')
    .set({ ended_at: ago(days), handoff: null })
    .where(
      'id',
      'in',
      rows.map(({ id }) => id),
    )
    .execute();
  await carrier.db.deleteFrom('outbox').execute();
  return rows.map(({ id }) => id);
}

const ago = (days: number) => new Date(Date.now() - days * 86_400_000);
const run = (forgetAfterDays: number, deleteAfterDays: number) =>
  client().workflow.execute('applyRetention', {
    taskQueue: 'calls',
    workflowId: `retention-by-test-${forgetAfterDays}-${deleteAfterDays}`,
    args: [{ forgetAfterDays, deleteAfterDays }],
  });
const forgottenAmong = async (ids: string[]) =>
  (await Promise.all(ids.map((id) => findCall(carrier.db, id)))).map((row) =>
    row ? row.forgotten_at !== null : 'gone',
  );

test('what ended so long ago is forgotten, in batches; what did not stays; another run finds nothing to do', async () => {
  const old = await endedCalls(205, 31);
  const recent = await endedCalls(2, 29);
  const [live] = await carrier.acceptMany(1);
  expect(await run(30, 0)).toEqual({ forgotten: 205, deleted: 0 });
  expect(new Set(await forgottenAmong(old))).toEqual(new Set([true]));
  expect(await forgottenAmong([...recent, live?.id ?? ''])).toEqual([false, false, false]);
  expect(await readPersonalDataWork(carrier.db)).toMatchObject({ forgotten_by_retention: 205 });
  expect(await run(30, 0)).toEqual({ forgotten: 0, deleted: 0 });
}, 120_000);

test('what ended so long ago is deleted with all its rows, unless something is left to do for it', async () => {
  const [gone = '', untold = '', ordered = '', undelivered = ''] = await endedCalls(4, 100);
  const [recent = ''] = await endedCalls(1, 80);
  const eventsUntold = carrier.db.selectFrom('call_events').select('id as event_id').where('call_id', '=', untold);
  await carrier.db.insertInto('outbox').columns(['event_id']).expression(eventsUntold).execute();
  await carrier.db
    .updateTable('calls')
    .set({ handoff: 'FORGET', handoff_at: new Date(Date.now() + 3_600_000) })
    .where('id', '=', ordered)
    .execute();
  const event = await carrier.db
    .selectFrom('call_events')
    .select('id')
    .where('call_id', '=', undelivered)
    .executeTakeFirstOrThrow();
  await carrier.db
    .insertInto('webhook_deliveries')
    .values({ event_id: event.id, call_id: undelivered, url: 'https://example.org' })
    .execute();

  expect(await run(0, 90)).toEqual({ forgotten: 0, deleted: 1 });
  expect(await forgottenAmong([gone, untold, ordered, undelivered, recent])).toEqual([
    'gone',
    false,
    false,
    false,
    false,
  ]);
  expect(await allTables(carrier.db)).not.toContain(gone);
  expect(await readPersonalDataWork(carrier.db)).toMatchObject({ deleted_by_retention: 1 });
}, 120_000);

test('what came of nobody’s call goes by its age too', async () => {
  await appendRejection(carrier.db, 'calls.requests/0/1', { requestId: 'order-of-Noura', reason: 'NUMBER_BUSY' });
  const report = { externalCallId: 'unknown', status: 'FAILED' as const, durationSec: null, completedAt: new Date() };
  await storeReport(carrier.db, { ...report, failureReason: 'Noura hung up' }, null);
  await carrier.db.deleteFrom('outbox').execute();
  await carrier.db
    .updateTable('call_events')
    .set({ at: ago(20) })
    .execute();
  await carrier.db
    .updateTable('provider_reports')
    .set({ received_at: ago(20) })
    .execute();
  await run(10, 0);
  expect(await allTables(carrier.db)).not.toContain('Noura');
  expect(await allTables(carrier.db)).toMatch(/NUMBER_BUSY[^]*unknown|unknown[^]*NUMBER_BUSY/);
  await run(0, 15);
  expect(await allTables(carrier.db)).not.toMatch(/NUMBER_BUSY|unknown/);
}, 120_000);

test('a schedule of its own applies the settings, follows them, and is gone where there are none', async () => {
  const [old = ''] = await endedCalls(1, 40);
  await ensureRetentionSchedule(client(), { PERSONAL_DATA_RETENTION_DAYS: 50, RETENTION_DAYS: 0 });
  await ensureRetentionSchedule(client(), { PERSONAL_DATA_RETENTION_DAYS: 30, RETENTION_DAYS: 365 });
  await client().schedule.getHandle('retention').trigger();
  await waitUntil('forgotten', async () => (await findCall(carrier.db, old))?.forgotten_at != null, 60);
  await ensureRetentionSchedule(client(), { PERSONAL_DATA_RETENTION_DAYS: 0, RETENTION_DAYS: 0 });
  await ensureRetentionSchedule(client(), { PERSONAL_DATA_RETENTION_DAYS: 0, RETENTION_DAYS: 0 });
  await expect(client().schedule.getHandle('retention').describe()).rejects.toThrow();
}, 120_000);
