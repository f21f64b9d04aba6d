import { listEvents } from '../../src/store/call-events';
import { newSecret, rotated } from '../../src/webhooks/secrets';
import { waitUntil } from '../support/wait-until';
import { Receiver } from './receiver';
import { WebhooksUnderTest } from './webhooks-under-test';

/** Webhooks as their receivers see them: real Temporal, PostgreSQL and HTTP, verified by the specification's library. */
let webhooks: WebhooksUnderTest;
let receiver: Receiver;

beforeAll(async () => {
  webhooks = await WebhooksUnderTest.open({ WEBHOOK_TIMEOUT_SECONDS: '30' });
  await webhooks.startWorker();
});
afterAll(() => webhooks.close());

beforeEach(async () => {
  receiver = await Receiver.open(...webhooks.config.WEBHOOK_SIGNING_SECRETS);
});
afterEach(async () => {
  // What a test leaves on its way must not come to the next one's receiver.
  await webhooks.db.updateTable('webhook_deliveries').set({ state: 'FAILED' }).where('state', '=', 'PENDING').execute();
  await webhooks.db.deleteFrom('webhook_endpoints').execute();
  await receiver.close();
});

test('a call’s own URL gets each of its events once, signed, with the event as Kafka has it', async () => {
  const call = await webhooks.call(receiver.url());
  await webhooks.happen(call, 2);
  await receiver.until(3);
  const events = await listEvents(webhooks.db, call.id);
  for (const event of events) {
    const [received, ...again] = receiver.received.filter(({ message }) => message.data.eventId === event.eventId);
    expect(again).toEqual([]);
    expect(received).toMatchObject({
      id: `msg_${event.eventId.replaceAll('-', '')}`,
      message: { type: event.type, timestamp: event.at, data: event },
      verifiedBy: receiver.secrets,
    });
  }
  await waitUntil('all delivered', async () =>
    (await webhooks.deliveries({ call })).every(({ state }) => state === 'DELIVERED'),
  );
  const [first] = await webhooks.deliveries({ call });
  expect(await webhooks.tries(first!.id)).toMatchObject([{ number: 1, status: 204, error: null, url: receiver.url() }]);
});

test('endpoints get the events of every call, of the types they want, signed by their own secret', async () => {
  const all = await webhooks.endpoint(receiver.url('/all'));
  const some = await webhooks.endpoint(receiver.url('/some'), ['call.updated']);
  receiver.secrets = [all.secret, some.secret, ...receiver.secrets];
  const calls = [await webhooks.call(), await webhooks.call(receiver.url('/own'))];
  for (const call of calls) await webhooks.happen(call);
  const toAll = await receiver.until(4, '/all');
  const toSome = await receiver.until(2, '/some');
  await receiver.until(2, '/own');
  expect(toAll.every(({ verifiedBy }) => verifiedBy.join() === all.secret)).toBe(true);
  expect(toSome.map(({ message, verifiedBy }) => [message.type, verifiedBy])).toEqual([
    ['call.updated', [some.secret]],
    ['call.updated', [some.secret]],
  ]);
  // To every receiver the same event has the same id.
  expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(4);
});

test('what fails is sent again after each wait of the schedule, under the same id and a timestamp of its own', async () => {
  receiver.answer = (_, nth) => ({ status: nth < 3 ? 500 : 200, body: `answer ${nth}` });
  const call = await webhooks.call(receiver.url());
  const [first, second, third] = await receiver.until(3);
  expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(1);
  expect(receiver.received.every(({ verifiedBy }) => verifiedBy.length === 1)).toBe(true);
  expect(second!.at - first!.at).toBeGreaterThanOrEqual(290);
  expect(third!.at - second!.at).toBeGreaterThanOrEqual(590);
  const row = await webhooks.untilState(call, 'DELIVERED');
  expect(row).toMatchObject({ tries: 3, last_status: 200, last_error: null, next_try_at: null });
  expect(await webhooks.tries(row.id)).toMatchObject([
    { number: 1, status: 500, error: 'answered 500', response: 'answer 1' },
    { number: 2, status: 500, error: 'answered 500', response: 'answer 2' },
    { number: 3, status: 200, error: null, response: 'answer 3' },
  ]);
  await webhooks.record(row, 'webhook-delivered-at-the-third-try');
});

test('at the end of its schedule a delivery has FAILED, and says why', async () => {
  receiver.answer = () => ({ status: 404 });
  const call = await webhooks.call(receiver.url());
  const row = await webhooks.untilState(call, 'FAILED');
  expect(row).toMatchObject({ tries: 3, last_status: 404, last_error: 'answered 404', next_try_at: null });
  expect(row.ended_at).not.toBeNull();
  expect(receiver.received).toHaveLength(3);
  await webhooks.record(row, 'webhook-failed');
});

test('a longer wait that the receiver asks for by Retry-After is waited', async () => {
  receiver.answer = (_, nth) => (nth === 1 ? { status: 429, headers: { 'retry-after': '2' } } : { status: 200 });
  const call = await webhooks.call(receiver.url());
  const waiting = await webhooks.until(call, 'waiting', ({ next_try_at }) => next_try_at !== null);
  expect(waiting).toMatchObject({ state: 'PENDING', last_error: 'answered 429' });
  const [first, second] = await receiver.until(2);
  expect(second!.at - first!.at).toBeGreaterThanOrEqual(1_990);
});

test('while a secret is being rotated both sign, whichever the receiver knows; after it the new one alone', async () => {
  const { id, secret: old } = await webhooks.endpoint(receiver.url());
  const rotate = (keepOldSeconds: number) => rotated([{ ...newSecret(), secret: old }], keepOldSeconds);
  const set = (secrets: unknown) =>
    webhooks.db
      .updateTable('webhook_endpoints')
      .set({ secrets: JSON.stringify(secrets) })
      .where('id', '=', id)
      .execute();
  const both = rotate(3_600);
  await set(both);
  receiver.secrets = [old, both[0]!.secret];
  await webhooks.call();
  const [during] = await receiver.until(1);
  expect(during?.verifiedBy).toEqual([old, both[0]!.secret]);
  expect(String(during?.headers['webhook-signature']).split(' ')).toHaveLength(2);

  const after = rotate(0);
  await set(after);
  receiver.secrets = [old, after[0]!.secret];
  await webhooks.call();
  expect((await receiver.until(2))[1]?.verifiedBy).toEqual([after[0]!.secret]);
});

test('410 Gone disables the endpoint: nothing more is sent, and what was on its way has FAILED with the reason', async () => {
  const { id } = await webhooks.endpoint(receiver.url());
  receiver.answer = () => ({ status: 500 });
  const call = await webhooks.call();
  await webhooks.happen(call, 2);
  await receiver.until(3);
  receiver.answer = () => ({ status: 410 });
  await waitUntil('disabled', async () => (await webhooks.readEndpoint(id)).disabled_at !== null);
  expect((await webhooks.readEndpoint(id)).disabled_reason).toBe('answered 410 Gone');
  const rows = await webhooks.deliveries({ endpointId: id });
  expect(rows.map(({ state }) => state)).toEqual(['FAILED', 'FAILED', 'FAILED']);
  expect(rows.map(({ last_error }) => last_error)).toContain('answered 410');
  await webhooks.happen(call);
  expect(await webhooks.deliveries({ endpointId: id })).toHaveLength(3);
});

test('410 Gone of a call’s own URL: none of the call’s events go there any more, unless it is given another', async () => {
  receiver.answer = () => ({ status: 410 });
  const call = await webhooks.call(receiver.url());
  await webhooks.untilState(call, 'FAILED');
  await webhooks.happen(call);
  expect(await webhooks.deliveries({ call })).toMatchObject([{ last_error: 'answered 410', tries: 1 }]);
  expect(receiver.received).toHaveLength(1);
});

test('an endpoint to which every try has failed for long enough is disabled; one that answered meanwhile is not', async () => {
  const ids = [await webhooks.endpoint(receiver.url('/down')), await webhooks.endpoint(receiver.url('/shaky'))].map(
    ({ id }) => id,
  );
  const longAgo = new Date(Date.now() - 6 * 86_400_000);
  await webhooks.db.updateTable('webhook_endpoints').set({ failing_since: longAgo }).execute();
  receiver.answer = ({ path }) => ({ status: path === '/down' ? 503 : 200 });
  await webhooks.call();
  await waitUntil('disabled', async () => (await webhooks.readEndpoint(ids[0]!)).disabled_at !== null);
  expect((await webhooks.readEndpoint(ids[0]!)).disabled_reason).toBe('every try has failed for 5 days');
  await waitUntil('works', async () => (await webhooks.readEndpoint(ids[1]!)).failing_since === null);
  expect((await webhooks.readEndpoint(ids[1]!)).disabled_at).toBeNull();
});

test('what is on its way to an endpoint that was deleted has FAILED, and its log stays', async () => {
  const { id } = await webhooks.endpoint(receiver.url());
  receiver.answer = () => ({ status: 500 });
  const call = await webhooks.call();
  await receiver.until(1);
  await webhooks.db.deleteFrom('webhook_endpoints').where('id', '=', id).execute();
  expect(await webhooks.untilState(call, 'FAILED')).toMatchObject({ last_error: 'endpoint deleted', tries: 1 });
});

test('an endpoint’s new URL holds from the next try on', async () => {
  const { id } = await webhooks.endpoint(receiver.url('/old'));
  receiver.answer = ({ path }) => ({ status: path === '/old' ? 500 : 200 });
  const call = await webhooks.call();
  await receiver.until(1, '/old');
  await webhooks.db
    .updateTable('webhook_endpoints')
    .set({ url: receiver.url('/new') })
    .where('id', '=', id)
    .execute();
  await receiver.until(1, '/new');
  const { id: deliveryId } = await webhooks.untilState(call, 'DELIVERED');
  expect((await webhooks.tries(deliveryId)).map(({ url }) => new URL(url).pathname)).toContain('/old');
});

test('a receiver that does not answer keeps nobody else waiting', async () => {
  await webhooks.endpoint(receiver.url('/slow'));
  receiver.answer = ({ path }) => (path === '/slow' ? undefined : { status: 200 });
  const call = await webhooks.call();
  await webhooks.happen(call, 60);
  await receiver.until(20, '/slow');
  await webhooks.call(receiver.url('/quick'));
  await receiver.until(1, '/quick');
  // Twenty at once, and no more: none of them has been given up yet.
  expect(receiver.received.filter(({ path }) => path === '/slow')).toHaveLength(20);
});

test('no phone number stands in a workflow’s history or id', async () => {
  const call = await webhooks.call(receiver.url());
  const row = await webhooks.untilState(call, 'DELIVERED');
  expect(receiver.received[0]?.raw).toContain(call.to_number);
  const history = await webhooks.history(row);
  const payloads = [...history.matchAll(/"data": ?"([^"]*)"/g)].map(([, data = '']) =>
    Buffer.from(data, 'base64').toString('utf8'),
  );
  const text = [history, ...payloads].join('\n');
  expect(text).toContain(row.id);
  expect(text).not.toContain(call.to_number.slice(1));
});
