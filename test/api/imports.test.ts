import { sql } from 'kysely';

import { importLineSchema } from '../../src/api/schemas';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { RoleProcess } from '../support/role-process';
import { waitUntil } from '../support/wait-until';
import { badFields, freshNumber, startApi, type ApiUnderTest } from './api-under-test';

jest.setTimeout(400_000);

let database: TestDatabase;
let api: ApiUnderTest;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi({ database });
});
afterAll(() => api.close());

interface Line {
  row?: number;
  status?: string;
  callId?: string;
  code?: string;
  errors?: { path: string }[];
  summary?: { rows: number; accepted: number; replayed: number; refused: number };
  problem?: { code: string };
}

const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => importLineSchema.parse(JSON.parse(line)) as Line);

const send = (raw: string | Uint8Array, key?: string) =>
  api.request('POST', '/calls/import', {
    raw,
    headers: { 'Content-Type': 'text/csv', ...(key !== undefined && { 'Idempotency-Key': key }) },
  });
const outcomes = (lines: Line[]) =>
  lines.flatMap(({ row, status, code }) => (row === undefined ? [] : [code ?? status]));

test('each row gets its line, in order, and the file its summary', async () => {
  const [one, two, three] = [freshNumber(), freshNumber(), freshNumber()];
  const answer = await send(
    `to,scriptId,priority,expiresAt,requestId,metadata.customer,metadata.note\r\n` +
      `${one},import,1,2999-01-01T00:00:00Z,,42,"a, ""b""\nc"\r\n` +
      `nobody,import,,,,,\r\n` +
      `${two},import,high,,,,\r\n` +
      `${two},import,,,own-1,,\r\n` +
      `${two},import,,,,,\r\n` +
      `${three},import\r\n`,
  );
  expect([answer.status, answer.headers.get('Content-Type')]).toEqual([200, 'application/x-ndjson']);
  const lines = linesOf(answer.text);
  expect(outcomes(lines)).toEqual([
    'INVALID_REQUEST',
    'INVALID_REQUEST',
    'INVALID_REQUEST',
    'ACCEPTED',
    'NUMBER_BUSY',
    'INVALID_REQUEST',
  ]);
  expect(lines[0]?.errors?.map(({ path }) => path)).toEqual(['expiresAt']);
  expect(lines[2]?.errors?.map(({ path }) => path)).toEqual(['priority']);
  expect(lines.at(-1)).toEqual({ summary: { rows: 6, accepted: 1, replayed: 0, refused: 5 } });
});

test('the columns become the fields of the call, texts of its metadata among them', async () => {
  const to = freshNumber();
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  // With a byte order mark, as spreadsheets write it, and an empty line at the end.
  const csv = `\ufeffmetadata.customer,to,scriptId,priority,expiresAt,metadata.a.b\n42,${to},import,1,${expiresAt},"x,\ny"\n\n`;
  const [line] = linesOf((await send(csv)).text);
  const { body } = await api.request('GET', `/calls/${line?.callId}`);
  expect(body).toMatchObject({
    payload: { to, scriptId: 'import', metadata: { customer: '42', 'a.b': 'x,\ny' } },
    priority: 1,
    expiresAt,
  });
  expect(api.handedOff.at(-1)?.id).toBe(line?.callId);
});

test('a file sent again with its key makes no second call; rows with a requestId not even elsewhere', async () => {
  const header = 'to,scriptId,requestId';
  const rows = Array.from(
    { length: 600 },
    (_, index) => `${freshNumber()},import,${index % 2 ? `twice-${index}` : ''}`,
  );
  const first = linesOf((await send([header, ...rows].join('\n'), 'file-1')).text);
  await api.db.updateTable('calls').set({ status: 'COMPLETED' }).execute();
  const again = linesOf((await send([header, ...rows].join('\n'), 'file-1')).text);
  expect(again.at(-1)?.summary).toEqual({ rows: 600, accepted: 0, replayed: 600, refused: 0 });
  expect(again.map(({ callId }) => callId)).toEqual(first.map(({ callId }) => callId));
  const shifted = linesOf((await send([header, ...rows.slice(2, 4)].join('\n'), 'file-1')).text);
  expect(outcomes(shifted)).toEqual(['IDEMPOTENCY_KEY_REUSED', 'REPLAYED']);
});

describe('a file that is wrong as a whole is refused before any call is accepted', () => {
  const countOfCalls = async () => (await api.db.selectFrom('calls').select('id').execute()).length;
  const good = () => `${freshNumber()},import\n`;

  test.each([
    ['to\n', 'INVALID_REQUEST', ['scriptId']],
    ['to,scriptId,nonsense\n', 'INVALID_REQUEST', ['nonsense']],
    ['to,scriptId,to,metadata.\n', 'INVALID_REQUEST', ['to', 'metadata.']],
    ['to,scriptId,metadata.__proto__\n', 'INVALID_REQUEST', ['metadata.__proto__']],
    ['to;scriptId\n', 'INVALID_REQUEST', ['to;scriptId', 'to', 'scriptId']],
    ['', 'INVALID_CSV', []],
    ['\n\n', 'INVALID_CSV', []],
  ])('%j gets 400 %s naming %j', async (header, code, fields) => {
    const before = await countOfCalls();
    const answer = await send(header === '' || header === '\n\n' ? header : header + good());
    expect([answer.status, answer.body['code'], badFields(answer)]).toEqual([400, code, fields]);
    expect(await countOfCalls()).toBe(before);
  });

  test.each([
    ['a quote that is never closed', () => Buffer.from(`"${'x'.repeat(200_000)}`)],
    ['a quote in the middle of a text', () => Buffer.from('a"b,c\n')],
    ['bytes that are no UTF-8', () => Buffer.from([0xff, 0xfe, 0x0a])],
  ])('%s after a thousand good rows gets 400 INVALID_CSV, which quotes nothing of it', async (_, bad) => {
    const before = await countOfCalls();
    const answer = await send(Buffer.concat([Buffer.from(`to,scriptId\n${good().repeat(1_000)}`), bad()]));
    expect([answer.status, answer.body['code']]).toEqual([400, 'INVALID_CSV']);
    expect(answer.text).not.toMatch(/\+?\d{7}/);
    expect(await countOfCalls()).toBe(before);
  });

  test('more than 100,000 rows get 413, and so do more than 64 MB', async () => {
    const before = await countOfCalls();
    const rows = await send(`to,scriptId\n${'a,b\n'.repeat(100_001)}`);
    expect([rows.status, rows.body['code']]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    const bytes = await fetch(`${api.url}/calls/import`, {
      method: 'POST',
      headers: { 'Content-Type': 'text/csv' },
      body: new Blob([Buffer.alloc(64 * 1024 * 1024 + 1, 'x')]),
    });
    expect(bytes.status).toBe(413);
    expect(await countOfCalls()).toBe(before);
  });

  test('another media type gets 415', async () => {
    const answer = await api.request('POST', '/calls/import', { json: { calls: [] } });
    expect([answer.status, answer.body['code']]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });
});

test('where PostgreSQL fails in the middle the last line says so, and the same file then comes through', async () => {
  const rows = Array.from({ length: 1_000 }, () => `${freshNumber()},import`);
  // The 600th row takes PostgreSQL's statement with it as an outage would.
  const cursed = rows[599]?.split(',')[0] ?? '';
  await sql`create function fail_once() returns trigger language plpgsql as $$
    begin
      if new.to_number = ${sql.lit(cursed)} then raise exception 'away' using errcode = '57P01'; end if;
      return new;
    end $$`.execute(api.db);
  await sql`create trigger fail_once before insert on calls for each row execute function fail_once()`.execute(api.db);
  const csv = ['to,scriptId', ...rows].join('\n');
  const broken = linesOf((await send(csv, 'broken')).text);
  await sql`drop trigger fail_once on calls`.execute(api.db);
  expect(broken.at(-1)?.problem?.code).toBe('DEPENDENCY_UNAVAILABLE');
  expect(broken.length - 1).toBe(500);
  const whole = linesOf((await send(csv, 'broken')).text);
  expect(whole.at(-1)?.summary).toEqual({ rows: 1_000, accepted: 500, replayed: 500, refused: 0 });
});

describe('of a real process, with nothing but PostgreSQL there', () => {
  const away = '127.0.0.1:1';
  const start = async (settings: Record<string, string> = {}) => {
    const process = await RoleProcess.start('api', {
      PORT: '0',
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: away,
      KAFKA_BROKERS: away,
      REDIS_URL: `redis://${away}`,
      ...settings,
    });
    const url = /"url":"(http:[^"]+)"/.exec(process.output)?.[1] ?? '';
    return { process, url };
  };
  const header = 'to,scriptId,metadata.customer\n';
  const fileOf = (rows: number, block: string) =>
    header +
    Array.from({ length: rows }, (_, index) => `+9665${block}${String(index).padStart(7, '0')},import,${index}\n`).join(
      '',
    );
  const importTo = (url: string, csv: string, key: string) =>
    fetch(`${url}/calls/import`, {
      method: 'POST',
      headers: { 'Content-Type': 'text/csv', 'Idempotency-Key': key },
      body: csv,
    });
  const countOf = async (block: string) => {
    const { rows } = await sql<{ count: number }>`select count(*) from calls
      where to_number like ${`+9665${block}%`}`.execute(api.db);
    return rows[0]?.count ?? 0;
  };

  test('killed in the middle and sent the same file again, it makes one call of each row', async () => {
    const csv = fileOf(8_000, '5');
    const first = await start();
    const answer = await importTo(first.url, csv, 'killed');
    const reader = answer.body!.getReader();
    await reader.read();
    await waitUntil('some rows are accepted', async () => (await countOf('5')) >= 1_000);
    await first.process.crash();
    await expect(
      (async () => {
        while (!(await reader.read()).done);
      })(),
    ).rejects.toThrow();
    const accepted = await countOf('5');
    expect(accepted).toBeLessThan(8_000);

    const second = await start();
    try {
      const lines = linesOf(await (await importTo(second.url, csv, 'killed')).text());
      expect(lines.at(-1)?.summary).toEqual({
        rows: 8_000,
        accepted: 8_000 - accepted,
        replayed: accepted,
        refused: 0,
      });
      expect(new Set(lines.flatMap(({ callId }) => callId ?? [])).size).toBe(8_000);
      expect(await countOf('5')).toBe(8_000);
    } finally {
      expect(await second.process.stop()).toBe(0);
    }
  });

  test('100,000 rows come in and go out in constant memory, a line for each', async () => {
    const rows = 100_000;
    // A heap that grew with the rows would end the process.
    const { process, url } = await start({ NODE_OPTIONS: '--max-old-space-size=128' });
    try {
      await (await importTo(url, fileOf(2_000, '4'), 'warm')).text();
      const before = process.peakMegabytes();
      const summary = (await lastLineOf(await importTo(url, fileOf(rows, '6'), 'large'))) as Line;
      expect(summary).toEqual({ summary: { rows, accepted: rows, replayed: 0, refused: 0 } });
      let lines = 0;
      const exported = await fetch(`${url}/calls/export?format=csv&scriptId=import`);
      for await (const chunk of exported.body! as AsyncIterable<Uint8Array>)
        lines += Buffer.from(chunk).toString('latin1').split('\n').length - 1;
      expect(lines).toBeGreaterThan(rows);
      expect(process.peakMegabytes() - before).toBeLessThan(100);
    } finally {
      await process.stop();
    }
  });
});

async function lastLineOf(answer: Response): Promise<unknown> {
  let rest = '';
  for await (const chunk of answer.body! as AsyncIterable<Uint8Array>) {
    rest = (rest + Buffer.from(chunk).toString()).split('\n').slice(-2).join('\n');
  }
  return JSON.parse(rest);
}
