import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, readRecord, recordOf, writeRecord } from '../../infra/process-record';

let directory: string;
beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'process-record-'))));
afterAll(() => rmSync(directory, { recursive: true }));

test('a record names the process that runs', () => {
  expect(isAlive(recordOf(process.pid))).toBe(true);
});

test('a pid that by now belongs to another process is not taken for ours', () => {
  expect(isAlive({ pid: process.pid, startTime: '1' })).toBe(false);
});

test('a process that has ended is not alive', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  const record = recordOf(child.pid ?? 0);
  expect(isAlive(record)).toBe(true);

  child.kill('SIGKILL');
  await once(child, 'exit');

  expect(isAlive(record)).toBe(false);
});

test('a record survives being written and read', () => {
  const file = join(directory, 'run/redis.json');
  const record = recordOf(process.pid, '127.0.0.1:16379');

  writeRecord(file, record);

  expect(readRecord(file)).toEqual(record);
});

test.each(['', '{', '[]', 'null', '{"pid":1,"startTime":"1"}', '{"pid":"7","startTime":"1"}'])(
  'a damaged record (%s) counts as none, so that nobody else is ever stopped',
  (content) => {
    const file = join(directory, 'damaged.json');
    writeFileSync(file, content);

    expect(readRecord(file)).toBeUndefined();
  },
);
