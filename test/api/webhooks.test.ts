import { createHmac, randomUUID } from 'node:crypto';

import { waitUntil } from '../support/wait-until';
import { badFields, freshNumber, startApi, type Answer, type ApiUnderTest } from './api-under-test';

const secret = 'the-secret';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ env: { WEBHOOK_SECRET: secret } });
});
afterAll(() => api.close());

const seconds = (offset = 0) => String(Math.floor(Date.now() / 1_000) + offset);
const sign = (content: string | Buffer, key = secret) =>
  `sha256=${createHmac('sha256', key).update(content).digest('hex')}`;

function report(fields: Record<string, unknown> = {}): string {
  return JSON.stringify({
    callId: randomUUID(),
    status: 'COMPLETED',
    completedAt: new Date().toISOString(),
    ...fields,
  });
}

function send(raw: string | Buffer, headers: Record<string, string>, query = '', to = api): Promise<Answer> {
  return to.request('POST', `/callbacks/call-status${query}`, {
    raw,
    headers: { 'Content-Type': 'application/json', ...headers },
  });
}

function sendSigned(raw: string | Buffer, query = '', timestamp = seconds()): Promise<Answer> {
  const signed = Buffer.concat([Buffer.from(`${timestamp}.`), Buffer.from(raw)]);
  return send(raw, { 'X-Webhook-Timestamp': timestamp, 'X-Webhook-Signature': sign(signed) }, query);
}

async function attemptInProgress(externalCallId: string | null = null): Promise<string> {
  const call = await api.acceptCall();
  const id = randomUUID();
  slots++;
  await api.db
    .insertInto('attempts')
    .values({
      id,
      call_id: call.id,
      round: 1,
      queue_seq: slots,
      run_id: 'run',
      run_number: 1,
      number: 1,
      slot: slots,
      to_number: freshNumber(),
      started_at: new Date(),
      external_call_id: externalCallId,
    })
    .execute();
  return id;
}
let slots = 0;

const reportsOf = (externalCallId: string) =>
  api.db.selectFrom('provider_reports').selectAll().where('external_call_id', '=', externalCallId).execute();

describe('a signed report', () => {
  test('is stored, answered 200 {"stored":true}, and then delivered to the attempt our query names', async () => {
    const attempt = await attemptInProgress();
    const callId = randomUUID();
    const body = report({ callId, status: 'BUSY', durationSec: 3, failureReason: 'line busy', extra: { any: 1 } });
    const answer = await sendSigned(body, `?attempt=${attempt}`);
    expect([answer.status, answer.body]).toEqual([200, { stored: true }]);
    expect(await reportsOf(callId)).toEqual([
      expect.objectContaining({ attempt_id: attempt, status: 'BUSY', duration_sec: 3, failure_reason: 'line busy' }),
    ]);
    expect(api.delivered.filter((id) => id === attempt)).toHaveLength(1);
  });

  test('without our query is matched by its callId', async () => {
    const callId = randomUUID();
    const attempt = await attemptInProgress(callId);
    expect((await sendSigned(report({ callId }))).status).toBe(200);
    expect(await reportsOf(callId)).toEqual([expect.objectContaining({ attempt_id: attempt })]);
  });

  test('of an unknown callId is stored and answered 202', async () => {
    const callId = randomUUID();
    expect((await sendSigned(report({ callId }))).status).toBe(202);
    expect(await reportsOf(callId)).toEqual([expect.objectContaining({ attempt_id: null })]);
  });

  test.each(['?attempt=7', `?attempt=${randomUUID()}`, '?attempt=%00', '?attempt=%zz&other=1'])(
    'with the query %s, no attempt of ours, goes by its callId',
    async (query) => {
      const callId = randomUUID();
      await attemptInProgress(callId);
      expect((await sendSigned(report({ callId }), query)).status).toBe(200);
    },
  );

  test('that comes again, also re-signed later, is answered 200 and stored once', async () => {
    const callId = randomUUID();
    await attemptInProgress(callId);
    const body = report({ callId });
    const answers = await Promise.all([sendSigned(body), sendSigned(body), sendSigned(body, '', seconds(-60))]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await reportsOf(callId)).toHaveLength(1);
  });

  test('of an attempt that has ended is answered 200', async () => {
    const attempt = await attemptInProgress();
    await api.db.updateTable('attempts').set({ ended_at: new Date() }).where('id', '=', attempt).execute();
    expect((await sendSigned(report(), `?attempt=${attempt}`)).status).toBe(200);
  });

  test('is accepted whatever its media type, up to 5 minutes off', async () => {
    const raw = report();
    const timestamp = seconds(-295);
    const answer = await send(raw, {
      'Content-Type': 'text/plain',
      'X-Webhook-Timestamp': timestamp,
      'X-Webhook-Signature': sign(`${timestamp}.${raw}`),
    });
    expect(answer.status).toBe(202);
  });

  test('keeps what it can of a reason that the store cannot hold', async () => {
    const callId = randomUUID();
    const body = report({
      callId,
      status: 'FAILED',
      durationSec: 1.6,
      failureReason: `a\u0000b\ud800${'c'.repeat(5_000)}`,
    });
    expect((await sendSigned(body)).status).toBe(202);
    const [stored] = await reportsOf(callId);
    expect(stored?.failure_reason?.slice(0, 4)).toBe('ab\ufffdc');
    expect(stored?.duration_sec).toBe(2);
  });
});

describe('a report that is refused', () => {
  const raw = report();
  const now = seconds();
  const good = sign(`${now}.${raw}`);

  test.each<[string, Record<string, string>]>([
    ['without a signature', { 'X-Webhook-Timestamp': now }],
    ['without a timestamp', { 'X-Webhook-Signature': good }],
    ['signed with another secret', { 'X-Webhook-Timestamp': now, 'X-Webhook-Signature': sign(`${now}.${raw}`, 'x') }],
    ['signed without its timestamp', { 'X-Webhook-Timestamp': now, 'X-Webhook-Signature': sign(raw) }],
    ['with a timestamp that was not signed', { 'X-Webhook-Timestamp': seconds(-1), 'X-Webhook-Signature': good }],
    ['with another scheme', { 'X-Webhook-Timestamp': now, 'X-Webhook-Signature': good.replace('sha256', 'sha1') }],
    ['with a signature too short', { 'X-Webhook-Timestamp': now, 'X-Webhook-Signature': good.slice(0, -2) }],
    [
      'with a signature of other letters',
      { 'X-Webhook-Timestamp': now, 'X-Webhook-Signature': `sha256=${'z'.repeat(64)}` },
    ],
  ])('%s gets 401', async (_, headers) => {
    const answer = await send(raw, headers);
    expect([answer.status, answer.body['code']]).toEqual([401, 'INVALID_SIGNATURE']);
  });

  test.each([-600, 600, -301])('%d seconds off gets 401', async (offset) => {
    expect((await sendSigned(raw, '', seconds(offset))).status).toBe(401);
  });

  test.each(['now', '-5', '1e9', '99999999999999999999', ''])('with the timestamp %j gets 401', async (timestamp) => {
    expect((await sendSigned(raw, '', timestamp)).status).toBe(401);
  });

  test('re-serialised after it was signed gets 401', async () => {
    const rewritten = JSON.stringify(JSON.parse(raw), null, 1);
    const answer = await send(rewritten, { 'X-Webhook-Timestamp': now, 'X-Webhook-Signature': good });
    expect(answer.status).toBe(401);
  });

  test('leaves nothing stored', async () => {
    const callId = randomUUID();
    await send(report({ callId }), { 'X-Webhook-Timestamp': now, 'X-Webhook-Signature': good });
    expect(await reportsOf(callId)).toEqual([]);
  });

  test.each(['{bad', '', '[]', 'null'])('signed, yet holding %j, gets 400', async (body) => {
    expect((await sendSigned(body)).status).toBe(400);
  });

  test('signed, yet not UTF-8, gets 400', async () => {
    expect((await sendSigned(Buffer.from(report({ callId: 'caf\u00e9' }), 'latin1'))).status).toBe(400);
  });

  test.each([
    [{ callId: undefined }, 'callId'],
    [{ callId: 7 }, 'callId'],
    [{ callId: 'a\u0000' }, 'callId'],
    [{ callId: 'x'.repeat(256) }, 'callId'],
    [{ status: 'RINGING' }, 'status'],
    [{ durationSec: -1 }, 'durationSec'],
    [{ durationSec: 1e12 }, 'durationSec'],
    [{ durationSec: '3' }, 'durationSec'],
    [{ completedAt: undefined }, 'completedAt'],
    [{ completedAt: 'yesterday' }, 'completedAt'],
    [{ failureReason: {} }, 'failureReason'],
  ])('with %.40j gets 400 naming %s', async (fields, path) => {
    const answer = await sendSigned(report(fields));
    expect(answer.status).toBe(400);
    expect(badFields(answer)).toEqual([path]);
  });

  test('of more than 64 KB gets 413', async () => {
    expect((await sendSigned(report({ extra: 'x'.repeat(70_000) }))).status).toBe(413);
  });
});

describe('where the provider signs the body alone', () => {
  let bodyApi: ApiUnderTest;
  beforeAll(async () => {
    bodyApi = await startApi({ env: { WEBHOOK_SECRET: secret, WEBHOOK_SIGNED_CONTENT: 'body' } });
  });
  afterAll(() => bodyApi.close());

  const raw = report();

  test('a signature of the body is taken, with or without a timestamp', async () => {
    const headers = { 'X-Webhook-Signature': sign(raw) };
    expect((await send(raw, headers, '', bodyApi)).status).toBe(202);
    expect((await send(raw, { ...headers, 'X-Webhook-Timestamp': seconds() }, '', bodyApi)).status).toBe(202);
  });

  test('a stale timestamp, or a signature of timestamp and body, gets 401', async () => {
    const stale = { 'X-Webhook-Signature': sign(raw), 'X-Webhook-Timestamp': seconds(-600) };
    expect((await send(raw, stale, '', bodyApi)).status).toBe(401);
    const other = { 'X-Webhook-Signature': sign(`${seconds()}.${raw}`), 'X-Webhook-Timestamp': seconds() };
    expect((await send(raw, other, '', bodyApi)).status).toBe(401);
  });
});

test('a delivery that fails or hangs holds up no answer, and is left to the sweep', async () => {
  const hanging = await startApi({
    env: { WEBHOOK_SECRET: secret },
    actOnReport: () => Promise.reject(new Error('Temporal is away')),
  });
  try {
    const call = await hanging.acceptCall();
    const attempt = randomUUID();
    await hanging.db
      .insertInto('attempts')
      .values({ id: attempt, call_id: call.id, round: 1, queue_seq: 1, run_id: 'run', run_number: 1 })
      .execute();
    const raw = report();
    const timestamp = seconds();
    const headers = { 'X-Webhook-Timestamp': timestamp, 'X-Webhook-Signature': sign(`${timestamp}.${raw}`) };
    expect((await send(raw, headers, `?attempt=${attempt}`, hanging)).status).toBe(200);
    await waitUntil('the failure is logged', () =>
      hanging.logLines.some(({ msg }) => msg === 'report not delivered yet; the sweep will'),
    );
    const undelivered = await hanging.db.selectFrom('provider_reports').select('delivered_at').execute();
    expect(undelivered).toEqual([{ delivered_at: null }]);
  } finally {
    await hanging.close();
  }
});
