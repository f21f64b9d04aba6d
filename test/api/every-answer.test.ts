import { randomUUID } from 'node:crypto';

import { sql } from 'kysely';

import { exampleCallId, exampleRequest, forgottenCall, pendingCall } from '../../src/api/examples';
import type { CallStatus } from '../../src/call/call';
import type { ErrorCode } from '../../src/call/errors';
import { createTestDatabase, databaseAway } from '../support/database';
import { freshNumber, startApi, type Answer, type ApiUnderTest } from './api-under-test';
import { examplesOf, operations, sendExample, type Described } from './described-requests';
import { inFlight } from './in-flight';
import { clear, put, putDelivery } from './stages';

let api: ApiUnderTest;
/** Without PostgreSQL. */
let away: ApiUnderTest;
/** With a PostgreSQL that has lost its tables: what nobody foresees. */
let broken: ApiUnderTest;
/** With keys, and a limit that the second request of a minute is over. */
let guarded: ApiUnderTest;
const key = 'a-key-to-the-guarded-api-of-this-file';
beforeAll(async () => {
  [api, away] = await Promise.all([startApi(), databaseAway().then((database) => startApi({ database }))]);
  const database = await createTestDatabase();
  broken = await startApi({ database });
  await sql`alter schema public rename to gone`.execute(database.db);
});
beforeAll(async () => {
  guarded = await startApi({ env: { API_KEYS: 'required', ADMIN_API_KEY: key, RATE_LIMIT_PER_MINUTE: '1' } });
});
afterAll(() => Promise.all([api, away, broken, guarded].map((one) => one.close())));

type Provoke = (described: Described) => Promise<Answer>;

/** How each error is met whatever the route, where `provocations` has no other way. */
const usualProvocations: Partial<Record<ErrorCode, Provoke>> = {
  INVALID_REQUEST: (described) =>
    described.operation.requestBody
      ? sendExample(api, described, { json: { unknown: 1 } })
      : sendExample(api, described, { query: '?unknown=1' }),
  INVALID_JSON: (described) => sendExample(api, described, { raw: '{bad' }),
  INVALID_ID: (described) => sendExample(api, described, { id: '7' }),
  UNAUTHENTICATED: (described) => sendExample(guarded, described),
  FORBIDDEN: (described) => sendExample(api, described, { headers: { Origin: 'https://another.example' } }),
  RATE_LIMITED: async (described) => {
    const headers = { Authorization: `Bearer ${key}` };
    await sendExample(guarded, described, { headers });
    return sendExample(guarded, described, { headers });
  },
  CALL_NOT_FOUND: (described) => sendExample(api, described, { id: randomUUID() }),
  WEBHOOK_ENDPOINT_NOT_FOUND: (described) => sendExample(api, described, { id: randomUUID() }),
  WEBHOOK_DELIVERY_NOT_FOUND: (described) => sendExample(api, described, { id: randomUUID() }),
  PAYLOAD_TOO_LARGE: (described) => sendExample(api, described, { raw: 'x'.repeat(5_000_000) }),
  UNSUPPORTED_MEDIA_TYPE: (described) =>
    sendExample(api, described, { raw: '<call/>', headers: { 'Content-Type': 'text/xml' } }),
  INTERNAL_ERROR: (described) => sendExample(broken, described),
  DEPENDENCY_UNAVAILABLE: (described) => sendExample(away, described),
};

/** How an error is met at one route, by route and code. */
const provocations: Record<string, Provoke> = {
  'POST /calls NUMBER_BUSY': async (described) => {
    await put(api.db, pendingCall);
    return sendExample(api, described);
  },
  'POST /calls IDEMPOTENCY_KEY_REUSED': async (described) => {
    const headers = { 'Idempotency-Key': 'order-4711' };
    await sendExample(api, described, { headers });
    return sendExample(api, described, { headers, json: { to: freshNumber(), scriptId: 'another' } });
  },
  ...Object.fromEntries(
    ['POST /calls', 'POST /calls/batch', 'POST /calls/import'].map((route) => [
      `${route} IDEMPOTENCY_KEY_IN_FLIGHT`,
      async (described: Described) => {
        const headers = { 'Idempotency-Key': randomUUID() };
        return (await inFlight(api.db, () => sendExample(api, described, { headers }))).refused;
      },
    ]),
  ),
  'POST /calls/batch PAYLOAD_TOO_LARGE': (described) => sendExample(api, described, { raw: 'x'.repeat(11_000_000) }),
  'POST /calls/import INVALID_REQUEST': (described) => sendExample(api, described, { raw: 'to,unknown\n' }),
  'POST /calls/import INVALID_CSV': (described) => sendExample(api, described, { raw: 'to,scriptId\n"never closed' }),
  'POST /calls/import PAYLOAD_TOO_LARGE': (described) =>
    sendExample(api, described, { raw: `to,scriptId\n${'a,b\n'.repeat(100_001)}` }),
  'PATCH /calls/{id} CALL_NOT_PENDING': (described) => toCallIn('COMPLETED', described),
  'PATCH /calls/{id} NUMBER_BUSY': async (described) => {
    await put(api.db, pendingCall);
    const other = await api.acceptCall();
    return sendExample(api, described, { json: { to: other.payload.to } });
  },
  'POST /calls/{id}/cancel CALL_ALREADY_ENDED': (described) => toCallIn('COMPLETED', described),
  'POST /calls/{id}/retry CALL_NOT_RETRYABLE': (described) => toCallIn('COMPLETED', described),
  'POST /calls/{id}/retry NUMBER_BUSY': async (described) => {
    await put(api.db, { ...pendingCall, status: 'FAILED' });
    await api.acceptCall(exampleRequest);
    return sendExample(api, described);
  },
  'POST /calls/{id}/retry CALL_FORGOTTEN': async (described) => {
    await put(api.db, { ...forgottenCall, status: 'FAILED' });
    return sendExample(api, described);
  },
  'DELETE /calls/{id}/personal-data CALL_NOT_ENDED': (described) => toCallIn('IN_PROGRESS', described),
  'POST /webhook-deliveries/{id}/redeliver WEBHOOK_ENDPOINT_DISABLED': async (described) => {
    await putDelivery(api.db);
    await api.db.updateTable('webhook_endpoints').set({ disabled_at: new Date() }).execute();
    return sendExample(api, described);
  },
  'POST /callbacks/call-status INVALID_SIGNATURE': (described) =>
    sendExample(api, described, { headers: { 'X-Webhook-Signature': `sha256=${'0'.repeat(64)}` } }),
};

/** What is described of all and cannot be met at these, each with its reason. */
const neverMet: Record<string, string> = {
  ...Object.fromEntries(
    ['POST /codec/decode', 'POST /codec/encode'].flatMap((route) =>
      ['INTERNAL_ERROR', 'DEPENDENCY_UNAVAILABLE'].map((code) => [
        `${route} ${code}`,
        'needs nothing but this process',
      ]),
    ),
  ),
  'GET /calls/stream INTERNAL_ERROR': 'once it has begun to answer it is cut off, as streams.test.ts shows',
  'POST /calls/import REQUEST_TIMEOUT': 'takes 30 s; slow-clients.test.ts meets it sooner',
  'POST /calls/import INTERNAL_ERROR': 'met once it has begun to answer, it is its last line: imports.test.ts',
  'POST /calls/import DEPENDENCY_UNAVAILABLE': 'met once it has begun to answer, it is its last line: imports.test.ts',
};

async function toCallIn(status: CallStatus, described: Described): Promise<Answer> {
  await put(api.db, { ...pendingCall, status });
  return sendExample(api, described);
}

const errors = operations
  .flatMap((described) =>
    Object.entries(described.operation.responses).flatMap(([status, { content }]) => {
      const problem = content?.['application/problem+json'];
      return Object.entries(problem ? examplesOf(problem) : {}).map(
        ([code, example]) => [described.route, Number(status), code as ErrorCode, { described, example }] as const,
      );
    }),
  )
  .filter(([route, , code]) => neverMet[`${route} ${code}`] === undefined);

test('each error that is described has a way to be met, and the other way round', () => {
  const described = errors.map(([route, , code]) => `${route} ${code}`);
  const without = errors.filter(([route, , code]) => !provocations[`${route} ${code}`] && !usualProvocations[code]);
  expect(without.map(([route, , code]) => `add to provocations: ${route} ${code}`)).toEqual([]);
  expect(Object.keys(provocations).filter((name) => !described.includes(name))).toEqual([]);
});

describe('each error that is described is met, as it is shown', () => {
  test.each(errors)('%s %d %s', async (route, status, code, { described, example }) => {
    await clear(api.db);
    const provoke = provocations[`${route} ${code}`] ?? usualProvocations[code];
    const answer = await provoke!(described);
    const { type, title, instance } = example as Record<string, string>;
    expect(answer.body).toMatchObject({ status, code, type, title });
    expect(templateOf(answer.body['instance'])).toBe(templateOf(instance));
    expect(answer.status).toBe(status);
  });
});

/** Whichever call it is about. */
function templateOf(instance: unknown): string {
  return String(instance).replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, exampleCallId);
}
