import { randomUUID } from 'node:crypto';

import { sql } from 'kysely';

import { callSchema } from '../../src/api/schemas';
import type { CallStatus } from '../../src/call/call';
import { waitUntil } from '../support/wait-until';
import { badFields, freshNumber, startApi, type Answer, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const patch = (id: string, json: unknown) => api.request('PATCH', `/calls/${id}`, { json });
const act = (id: string, action: 'cancel' | 'retry') => api.request('POST', `/calls/${id}/${action}`);
const outcomeOf = ({ status, body }: Answer) => [status, body['code']];

/** Rolls a transaction back. */
class Undone extends Error {
  constructor(readonly patching: Promise<Answer>) {
    super('undone');
  }
}

async function callIn(status: CallStatus) {
  const call = await api.acceptCall();
  await api.db
    .updateTable('calls')
    .set({ status, attempts: 3, last_error: 'BUSY', started_at: new Date() })
    .where('id', '=', call.id)
    .execute();
  return call;
}

describe('PATCH /calls/:id', () => {
  test('changes a PENDING call and hands the change to the starter', async () => {
    const call = await api.acceptCall({ metadata: { a: 1 } });
    const change = { to: freshNumber(), scriptId: 'another', metadata: { b: 2 } };
    const answer = await patch(call.id, change);
    expect(answer.status).toBe(200);
    expect(callSchema.parse(answer.body)).toMatchObject({ id: call.id, payload: change, status: 'PENDING' });
    expect(api.handedOff.at(-1)?.id).toBe(call.id);
  });

  test('leaves the priority as it was accepted: it gets 400 naming it', async () => {
    const { id } = await api.acceptCall({ priority: 2 });
    const answer = await patch(id, { priority: 1 });
    expect(outcomeOf(answer)).toEqual([400, 'INVALID_REQUEST']);
    expect(answer.body['errors']).toEqual([{ path: 'priority', message: 'is not a field that can be changed' }]);
    expect((await patch(id, { scriptId: 'another' })).body['priority']).toBe(2);
  });

  test('changes only what it names', async () => {
    const call = await api.acceptCall({ metadata: { a: 1 } });
    const { body } = await patch(call.id, { scriptId: 'another' });
    expect(body['payload']).toEqual({ ...call.payload, scriptId: 'another' });
    expect(body['expiresAt']).toBe(call.expiresAt);
  });

  test.each(['IN_PROGRESS', 'COMPLETED', 'FAILED', 'EXPIRED', 'CANCELED'] as const)(
    'a call that is %s gets 409 CALL_NOT_PENDING',
    async (status) => {
      const { id } = await callIn(status);
      expect(outcomeOf(await patch(id, { scriptId: 'another' }))).toEqual([409, 'CALL_NOT_PENDING']);
    },
  );

  test('a number that has an active call gets 409 naming it', async () => {
    const [one, other] = [await api.acceptCall(), await api.acceptCall()];
    const answer = await patch(one.id, { to: other.payload.to });
    expect(outcomeOf(answer)).toEqual([409, 'NUMBER_BUSY']);
    expect(answer.body['activeCallId']).toBe(other.id);
  });

  test('a deadlock with another change costs no 500: the change is tried again', async () => {
    const [one, other] = [await api.acceptCall(), await api.acceptCall()];
    const answer = await api.db
      .transaction()
      .execute(async (trx) => {
        // Not ours: PostgreSQL ends the transaction that looks for a deadlock first.
        await sql`set local deadlock_timeout = '1min'`.execute(trx);
        await trx.updateTable('calls').set({ to_number: freshNumber() }).where('id', '=', other.id).execute();
        const patching = patch(one.id, { to: other.payload.to });
        await waitUntil('the change waits for our lock', async () => {
          const { rows } = await sql`select 1 from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'`.execute(api.db);
          return rows.length === 1;
        });
        await trx.updateTable('calls').set({ script_id: 'mine' }).where('id', '=', one.id).execute();
        throw new Undone(patching);
      })
      .catch((error: unknown) => {
        if (error instanceof Undone) return error.patching;
        throw error;
      });
    expect(outcomeOf(answer)).toEqual([409, 'NUMBER_BUSY']);
  });

  test.each([
    [{ status: 'COMPLETED' }, 'status'],
    [{ attempts: 0 }, 'attempts'],
    [{ to: '911' }, 'to'],
    [{ scriptId: '' }, 'scriptId'],
    [{ metadata: 7 }, 'metadata'],
    [{ expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    [{}, ''],
    [[], ''],
  ])('%j gets 400 naming %j', async (change, path) => {
    const { id } = await api.acceptCall();
    const answer = await patch(id, change);
    expect(outcomeOf(answer)).toEqual([400, 'INVALID_REQUEST']);
    expect(badFields(answer)).toEqual([path]);
  });
});

describe('POST /calls/:id/cancel', () => {
  test.each(['PENDING', 'IN_PROGRESS'] as const)('withdraws a call that is %s', async (status) => {
    const { id } = await callIn(status);
    const answer = await act(id, 'cancel');
    expect(answer.status).toBe(200);
    expect(callSchema.parse(answer.body)).toMatchObject({
      id,
      status: 'CANCELED',
      endedAt: expect.any(String) as string,
    });
    expect(api.handedOff.at(-1)).toMatchObject({ id, handoff: 'CANCEL' });
  });

  test.each(['COMPLETED', 'FAILED', 'EXPIRED', 'CANCELED'] as const)(
    'a call that is %s gets 409 CALL_ALREADY_ENDED',
    async (status) => {
      const { id } = await callIn(status);
      expect(outcomeOf(await act(id, 'cancel'))).toEqual([409, 'CALL_ALREADY_ENDED']);
    },
  );
});

describe('POST /calls/:id/retry', () => {
  test.each(['FAILED', 'EXPIRED', 'CANCELED'] as const)(
    'starts a %s call again with fresh attempts',
    async (status) => {
      const { id } = await callIn(status);
      const answer = await act(id, 'retry');
      expect(answer.status).toBe(200);
      expect(callSchema.parse(answer.body)).toMatchObject({
        id,
        status: 'PENDING',
        attempts: 0,
        lastError: null,
        startedAt: null,
        endedAt: null,
      });
      expect(api.handedOff.at(-1)).toMatchObject({ id, handoff: 'START', round: 2 });
    },
  );

  test.each(['PENDING', 'IN_PROGRESS', 'COMPLETED'] as const)(
    'a call that is %s gets 409 CALL_NOT_RETRYABLE',
    async (status) => {
      const { id } = await callIn(status);
      expect(outcomeOf(await act(id, 'retry'))).toEqual([409, 'CALL_NOT_RETRYABLE']);
    },
  );

  test('a number that has an active call meanwhile gets 409 naming it', async () => {
    const { id, payload } = await api.acceptCall();
    await act(id, 'cancel');
    const active = await api.acceptCall({ to: payload.to });
    const answer = await act(id, 'retry');
    expect(outcomeOf(answer)).toEqual([409, 'NUMBER_BUSY']);
    expect(answer.body['activeCallId']).toBe(active.id);
  });
});

describe.each(['cancel', 'retry'] as const)('the body of %s', (action) => {
  const withBody = async (raw: string, type: string) => {
    const { id } = await callIn(action === 'cancel' ? 'PENDING' : 'FAILED');
    return api.request('POST', `/calls/${id}/${action}`, { raw, headers: { 'Content-Type': type } });
  };

  test('may be empty, of whatever type, or {}', async () => {
    expect((await withBody('', 'text/plain')).status).toBe(200);
    expect((await withBody('', 'application/json')).status).toBe(200);
    expect((await withBody('{}', 'application/json')).status).toBe(200);
  });

  test('may hold nothing else', async () => {
    expect(outcomeOf(await withBody('{"reason":1}', 'application/json'))).toEqual([400, 'INVALID_REQUEST']);
    expect(outcomeOf(await withBody('[]', 'application/json'))).toEqual([400, 'INVALID_REQUEST']);
    expect(outcomeOf(await withBody('{bad', 'application/json'))).toEqual([400, 'INVALID_JSON']);
    expect(outcomeOf(await withBody('{}', 'text/plain'))).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });
});

describe.each([
  ['PATCH', ''],
  ['POST', '/cancel'],
  ['POST', '/retry'],
])('%s /calls/:id%s', (method, rest) => {
  const ask = (id: string) => api.request(method, `/calls/${id}${rest}`, { json: rest ? {} : { scriptId: 'x' } });

  test('an unknown id gets 404', async () => {
    expect(outcomeOf(await ask(randomUUID()))).toEqual([404, 'CALL_NOT_FOUND']);
  });

  test('an id that is no UUID gets 400', async () => {
    expect(outcomeOf(await ask('7'))).toEqual([400, 'INVALID_ID']);
  });
});
