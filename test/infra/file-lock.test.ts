import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withLock } from '../../infra/file-lock';
import { Interrupted } from '../../infra/infra-error';
import { recordOf } from '../../infra/process-record';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'file-lock-'))));
afterEach(() => rmSync(directory, { recursive: true }));

test('one at a time, and free again after a failure', async () => {
  const lock = join(directory, 'lock');
  const order: string[] = [];
  const failing = withLock(lock, async () => {
    order.push('first begins');
    await new Promise((resolve) => setImmediate(resolve));
    order.push('first ends');
    throw new Error('on purpose');
  });
  const second = withLock(lock, () => {
    order.push('second');
    return Promise.resolve();
  });

  await expect(failing).rejects.toThrow('on purpose');
  await second;

  expect(order).toEqual(['first begins', 'first ends', 'second']);
  expect(existsSync(lock)).toBe(false);
});

test('a lock whose holder has died is taken over', async () => {
  const lock = join(directory, 'lock');
  writeFileSync(lock, JSON.stringify({ pid: process.pid, startTime: 'of an earlier process' }));

  await expect(withLock(lock, () => Promise.resolve('taken over'))).resolves.toBe('taken over');
});

test('waiting for a lock tells by whom it is held, and ends at Ctrl-C', async () => {
  const lock = join(directory, 'lock');
  writeFileSync(lock, JSON.stringify(recordOf(process.pid)));
  const stop = new AbortController();
  const holders: number[] = [];

  const waiting = withLock(lock, () => Promise.resolve(), {
    signal: stop.signal,
    onWait: (pid) => {
      holders.push(pid);
      stop.abort();
    },
  });

  await expect(waiting).rejects.toThrow(Interrupted);
  expect(holders).toEqual([process.pid]);
});
