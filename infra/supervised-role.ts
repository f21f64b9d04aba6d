import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { waitUntil } from './wait-until';

const firstRestartSeconds = 0.5;
const longestRestartSeconds = 30;
/** A role that has lived this long was well: its next restart is quick again. */
const wellSeconds = 60;
const stopSeconds = 30;

/**
 * How `npm start` runs each role, and the bench with it: few arenas of the C library, for four processes share one
 * machine. V8's young generation stays as V8 makes it: one of a quarter the size took a fifth of POST /calls at 256
 * connections, measured.
 */
export const roleEnvironment = { MALLOC_ARENA_MAX: '2' };

export interface RolePlan {
  name: string;
  script: string;
  cwd: string;
  env: NodeJS.ProcessEnv;
}

/** @returns how long to wait before the restart that follows `failures` ends in a row */
export function restartDelaySeconds(failures: number): number {
  return Math.min(firstRestartSeconds * 2 ** failures, longestRestartSeconds);
}

/** One role as a child process that is started again whenever it ends, until it is told to stop. */
export class SupervisedRole {
  readonly #plan: RolePlan;
  readonly #write: (line: string) => void;
  #child: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopping = false;
  #ready = false;

  constructor(plan: RolePlan, write: (line: string) => void) {
    this.#plan = plan;
    this.#write = write;
  }

  get name(): string {
    return this.#plan.name;
  }

  /** The process that runs now has told so: `process.send('ready')`. */
  get isReady(): boolean {
    return this.#ready;
  }

  start(): void {
    const { script, cwd, env } = this.#plan;
    const startedAt = performance.now();
    // In a session of its own the terminal's Ctrl-C does not reach it: we say when to stop, once. The IPC channel
    // tells it when we are gone without having been able to say so.
    const child = spawn(process.execPath, ['--enable-source-maps', script], {
      cwd,
      env: { ...roleEnvironment, ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    this.#forward(child.stdout);
    this.#forward(child.stderr);
    child.on('message', (message) => (this.#ready ||= message === 'ready'));
    child.once('error', (error) => this.#write(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => {
      this.#ready = false;
      if (this.#stopping) return;
      const lived = (performance.now() - startedAt) / 1000;
      this.#failures = lived >= wellSeconds ? 0 : this.#failures;
      const delay = restartDelaySeconds(this.#failures++);
      this.#write(`ended (${signal ?? `exit code ${code ?? '?'}`}); starting again in ${delay} s`);
      this.#restart = setTimeout(() => this.start(), delay * 1000);
    });
  }

  /** Back when the process has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (!child || hasEnded(child)) return;
    child.kill('SIGTERM');
    // A stopped (SIGSTOP) process would take the signal only once it goes on.
    child.kill('SIGCONT');
    if (await waitUntil(() => hasEnded(child), { deadlineSeconds: stopSeconds })) return;
    this.#write(`did not stop within ${stopSeconds} s: killed`);
    child.kill('SIGKILL');
    await waitUntil(() => hasEnded(child), { deadlineSeconds: stopSeconds });
  }

  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#restart);
    this.#child?.kill('SIGKILL');
  }

  #forward(output: Readable | null): void {
    if (output) createInterface({ input: output }).on('line', this.#write);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}
