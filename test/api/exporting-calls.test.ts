import { once } from 'node:events';
import { connect } from 'node:net';

import { parse } from 'csv-parse/sync';
import { sql } from 'kysely';

import { callSchema } from '../../src/api/schemas';
import type { Call } from '../../src/call/call';
import { waitUntil } from '../support/wait-until';
import { badFields, freshNumber, startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const callsOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => callSchema.parse(JSON.parse(line)) as Call);

/** Accepted so long ago that none of them is what another test looks for. */
async function fill(scriptId: string, count: number): Promise<void> {
  await sql`insert into calls (id, to_number, script_id, status, max_attempts, expires_at, metadata)
    select gen_random_uuid(), '+9665' || lpad(n::text, 8, '0'), ${scriptId}, 'COMPLETED', 3, now(), json_build_object('n', n)
      from generate_series(1, ${count}::int) as n`.execute(api.db);
}

test('NDJSON has each call that matches, newest first, one a line, beyond any page', async () => {
  await fill('many', 1_234);
  const answer = await api.request('GET', '/calls/export?format=ndjson&scriptId=many');
  expect([answer.status, answer.headers.get('Content-Type')]).toEqual([200, 'application/x-ndjson']);
  expect(answer.headers.get('Content-Disposition')).toBe('attachment; filename="calls.ndjson"');
  const numbers = callsOf(answer.text).map(({ payload }) => payload.metadata['n']);
  expect(numbers).toEqual(Array.from({ length: 1_234 }, (_, index) => 1_234 - index));
});

test('CSV has the same calls, with their fields in named columns', async () => {
  const first = await api.acceptCall({ scriptId: 'columns', metadata: { a: 'x, "y"\nz', b: 1 } });
  await api.request('POST', `/calls/${first.id}/cancel`);
  const webhookUrl = 'https://example.com/calls';
  const second = await api.acceptCall({ scriptId: 'columns', priority: 1, webhookUrl });
  const answer = await api.request('GET', '/calls/export?format=csv&scriptId=columns');
  expect([answer.status, answer.headers.get('Content-Type')]).toEqual([200, 'text/csv; charset=utf-8']);
  const rows = parse<Record<string, string>>(answer.text, { columns: true });
  expect(rows.map(({ id }) => id)).toEqual([second.id, first.id]);
  expect(rows[0]).toMatchObject({
    to: second.payload.to,
    priority: '1',
    status: 'PENDING',
    endedAt: '',
    webhookUrl,
    metadata: '{}',
  });
  expect(rows[1]).toMatchObject({ status: 'CANCELED', priority: '3', createdAt: first.createdAt });
  expect(JSON.parse(rows[1]?.['metadata'] ?? '')).toEqual({ a: 'x, "y"\nz', b: 1 });
  expect(answer.text.split('\n')[0]).toBe(
    'id,to,scriptId,status,priority,attempts,maxAttempts,lastError,externalCallId,createdAt,startedAt,endedAt,updatedAt,expiresAt,nextAttemptAt,webhookUrl,forgottenAt,metadata',
  );
});

test.each(['=1+1', '+cmd', '-2', '@sum', '\t=1', '\r=1'])(
  'a text that a spreadsheet would run, %j, is disarmed in CSV; a number keeps its plus',
  async (scriptId) => {
    const { payload } = await api.acceptCall({ scriptId });
    const answer = await api.request('GET', `/calls/export?format=csv&scriptId=${encodeURIComponent(scriptId)}`);
    const [row] = parse<Record<string, string>>(answer.text, { columns: true });
    expect(row).toMatchObject({ to: payload.to, scriptId: `'${scriptId}` });
  },
);

test('with nothing that matches CSV has its header and NDJSON is empty', async () => {
  expect((await api.request('GET', '/calls/export?format=csv&scriptId=none')).text).toMatch(/^id,.*\n$/);
  expect((await api.request('GET', '/calls/export?format=ndjson&scriptId=none')).text).toBe('');
});

test.each([
  ['', 'format'],
  ['format=xml', 'format'],
  ['format=csv&limit=3', 'limit'],
  ['format=csv&status=RINGING', 'status'],
])('?%s gets 400 naming %s', async (query, path) => {
  const answer = await api.request('GET', `/calls/export?${query}`);
  expect([answer.status, badFields(answer)]).toEqual([400, [path]]);
});

test.each(['POST', 'PATCH', 'DELETE'])(
  '%s /calls/export is refused as a method, not taken for a call',
  async (method) => {
    const answer = await api.request(method, '/calls/export');
    expect([answer.status, answer.headers.get('Allow')]).toEqual([405, 'GET, HEAD']);
  },
);

/** Reads the head of an answer and then no more. */
async function startReading(path: string) {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await once(socket, 'readable');
  return socket;
}

describe('of a file larger than what lies between two ends of a connection', () => {
  const path = '/calls/export?format=ndjson&scriptId=wide';
  /** By how far the file was read from the table: the calls it has passed, of 20 MB. */
  const queries = () => {
    const spy = jest.spyOn(api.db, 'selectFrom');
    return { count: () => spy.mock.calls.length, end: () => spy.mockRestore() };
  };
  beforeAll(async () => {
    await sql`insert into calls (id, to_number, script_id, status, max_attempts, expires_at, metadata)
      select gen_random_uuid(), ${freshNumber()}, 'wide', 'COMPLETED', 3, now(), json_build_object('w', repeat('w', 4000))
        from generate_series(1, 5000)`.execute(api.db);
  });

  test('no more is read from the table than the client takes, and nothing once it is gone', async () => {
    const asked = queries();
    const socket = await startReading(path);
    await waitUntil('the connection fills', () => asked.count() >= 2);
    for (let other = 0; other < 50; other++) await api.request('GET', '/health');
    expect(asked.count()).toBeLessThan(5_000 / 500);
    socket.destroy();
    const passed = asked.count();
    for (let other = 0; other < 50; other++) await api.request('GET', '/health');
    expect(asked.count()).toBeLessThanOrEqual(passed + 1);
    asked.end();
  });

  test('where PostgreSQL goes away in the middle the file breaks off, rather than seem whole', async () => {
    const answer = await fetch(`${api.url}${path}`);
    const reader = answer.body!.getReader();
    await reader.read();
    await sql`alter table calls rename to calls_away`.execute(api.db);
    try {
      await expect(
        (async () => {
          while (!(await reader.read()).done);
        })(),
      ).rejects.toThrow();
    } finally {
      await sql`alter table calls_away rename to calls`.execute(api.db);
    }
    expect(api.logLines.filter(({ msg }) => msg === 'an answer broke off')).toHaveLength(1);
  });
});
