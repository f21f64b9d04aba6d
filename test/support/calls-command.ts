import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const command = join(__dirname, '../../dist/src/cli/main.js');

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  stdin?: string;
}

/** The `calls` command as a process of its own, from the build; away from any `.env`. */
export function startCalls(args: string[], { env = {}, stdin }: RunOptions = {}) {
  const child: ChildProcess = spawn(process.execPath, [command, ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => (output.stdout += String(chunk)));
  child.stderr?.on('data', (chunk) => (output.stderr += String(chunk)));
  child.stdin?.end(stdin ?? '');
  const ended = once(child, 'close').then(([code, signal]): Outcome => ({
    ...output,
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  return { child, output, ended };
}

export function runCalls(args: string[], options: RunOptions = {}): Promise<Outcome> {
  return startCalls(args, options).ended;
}

/** The JSON values that it printed, one a line. */
export function jsonLines<Value>({ stdout }: Pick<Outcome, 'stdout'>): Value[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Value);
}
