import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Starting a process takes seconds on a busy machine.
jest.setTimeout(60_000);

const running: ChildProcess[] = [];
afterEach(() => running.splice(0).map((child) => child.kill('SIGKILL')));

/** A role as a process, that has written its first line and is about to say that it is ready. */
async function openingRole(how: 'gets ready' | 'throws'): Promise<{ child: ChildProcess; output: () => string }> {
  const child = fork(
    join(__dirname, '../support/run-typescript.mjs'),
    [join(__dirname, 'role-under-test.ts'), how],
    // Where no .env lies.
    { env: { PATH: process.env['PATH'], LOG_PRETTY: '0' }, cwd: tmpdir(), stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
  );
  running.push(child);
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  if (child.stdout) await once(child.stdout, 'data');
  return { child, output: () => output };
}

/** A killed parent's ends of pipe and channel are closed by the system. */
function supervisorDies(child: ChildProcess): void {
  child.stdout?.destroy();
  child.disconnect();
}

test('where its supervisor dies in the moment it gets ready, it ends', async () => {
  const { child } = await openingRole('gets ready');
  supervisorDies(child);
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('what is thrown where nobody catches it ends the role with a last line in its log', async () => {
  const { child, output } = await openingRole('throws');
  const [exit] = await Promise.all([once(child, 'exit'), child.stdout && once(child.stdout, 'end')]);
  expect(exit).toEqual([1, null]);
  const lines = output().trim().split('\n');
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
    level: 60,
    msg: 'cannot go on',
    err: { message: 'thrown where nobody catches it' },
  });
});

test('what is thrown where nobody reads the log any more ends the role too', async () => {
  const { child } = await openingRole('throws');
  supervisorDies(child);
  expect(await once(child, 'exit')).toEqual([1, null]);
});
