import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { waitUntil } from './wait-until';

const scripts = {
  api: 'src/start/api.js',
  worker: 'src/start/worker.js',
  bridge: 'src/start/bridge.js',
  provider: 'mock-provider/main.js',
} as const;
export type Role = keyof typeof scripts;

/** One role as a process of its own, from the build. */
export class RoleProcess {
  private readonly chunks: string[] = [];
  private asked = false;

  private constructor(
    readonly role: Role,
    private readonly child: ChildProcess,
  ) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => this.chunks.push(String(chunk)));
    }
  }

  /** Back when it says that it is ready. */
  static async start(role: Role, env: Record<string, string>): Promise<RoleProcess> {
    const child = spawn(process.execPath, [join(__dirname, '../../dist', scripts[role])], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const started = new RoleProcess(role, child);
    await waitUntil(`${role} ready`, () => started.isReady(), 90).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw new Error(`${String(error)}:\n${started.output}`);
    });
    return started;
  }

  /** Everything it has written. */
  get output(): string {
    return this.chunks.join('');
  }

  /** The most memory it has had at once. */
  peakMegabytes(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024);
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Nobody stopped or killed it from here. */
  get endedByItself(): boolean {
    return this.ended && !this.asked;
  }

  get exitCode(): number | null {
    return this.child.exitCode;
  }

  /** SIGTERM, as an operator ends it. @returns its exit code */
  async stop(): Promise<number | null> {
    if (this.ended) return this.exitCode;
    const exited = once(this.child, 'exit');
    this.signal('SIGTERM');
    await exited;
    return this.exitCode;
  }

  /** `kill -9`; back when it is gone. */
  async crash(): Promise<void> {
    if (this.ended) return;
    const exited = once(this.child, 'exit');
    this.signal('SIGKILL');
    await exited;
  }

  /** Sends the signal and does not wait. */
  signal(signal: NodeJS.Signals): void {
    this.asked = true;
    this.child.kill(signal);
  }

  private isReady(): boolean {
    if (this.ended) throw new Error(`${this.role} ended:\n${this.output}`);
    return this.chunks.some((chunk) => chunk.includes('"msg":"ready"') || chunk.includes('mock provider ready'));
  }
}
