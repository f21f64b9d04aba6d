import { fork, type ChildProcess, type Serializable } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { InfraError, Interrupted } from '../infra/infra-error';
import { placesFor } from '../infra/places';
import { waitUntil } from '../infra/wait-until';

const readySeconds = 90;
const stopSeconds = 35;
/** Whoever presses Ctrl-C does not wait for the calls that a peer has on the line. */
const stopSecondsOnceInterrupted = 3;
const shownCharacters = 600;

export interface ChildPlan {
  /** For people, and its log's name. */
  name: string;
  /** Of the build, relative to dist/. */
  script: string;
  env?: Readonly<Record<string, string>>;
  args?: readonly string[];
}

/** A program of ours that the bench runs beside itself, in a session of its own: when it ends is the bench's to say. */
export class Child {
  private readonly received: unknown[] = [];

  constructor(
    private readonly plan: ChildPlan,
    private readonly process: ChildProcess,
    private readonly log: string,
    private readonly interrupted: AbortSignal,
  ) {
    process.on('message', (message) => this.received.push(message));
    process.on('error', () => undefined);
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get ended(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Everything it has written. */
  output(): string {
    return readFileSync(this.log, 'utf8');
  }

  send(message: Serializable): void {
    if (this.process.connected) this.process.send(message);
  }

  /** Back with its next message of that kind. @throws InfraError where it ends before */
  async receive<Message>(kind: string, signal: AbortSignal, seconds = Infinity): Promise<Message> {
    let found = -1;
    const came = await waitUntil(
      () => {
        found = this.received.findIndex((message) => message === kind || kindOf(message) === kind);
        if (found === -1 && this.ended) throw this.failure('ended too early');
        return found !== -1;
      },
      { deadlineSeconds: seconds, pollMilliseconds: 5, signal },
    );
    if (!came) throw this.failure(`did not tell "${kind}" within ${seconds} s`);
    return this.received.splice(found, 1)[0] as Message;
  }

  async ask<Message>(question: { kind: string; [field: string]: Serializable }, signal: AbortSignal): Promise<Message> {
    this.send(question);
    return this.receive<Message>(`${question.kind}: done`, signal);
  }

  /** SIGTERM, and back when it has ended. @returns the seconds it took */
  async stop(): Promise<number> {
    const startedAt = performance.now();
    if (!this.ended) {
      const exited = once(this.process, 'exit');
      this.process.kill('SIGTERM');
      const seconds = this.interrupted.aborted ? stopSecondsOnceInterrupted : stopSeconds;
      const deadline = setTimeout(() => this.kill(), seconds * 1_000);
      await exited;
      clearTimeout(deadline);
    }
    return (performance.now() - startedAt) / 1_000;
  }

  kill(): void {
    if (!this.ended) this.process.kill('SIGKILL');
  }

  private failure(what: string): InfraError {
    const end = this.output().trimEnd().slice(-shownCharacters);
    return new InfraError(`${this.plan.name} ${what}; its log is ${this.log} and ends with:\n${end}`);
  }
}

function kindOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'kind' in message ? message.kind : undefined;
}

/** Every program that the bench has started and that has not ended: none outlives it. */
export class Children {
  private readonly live = new Set<Child>();

  constructor(
    private readonly logs: string,
    readonly signal: AbortSignal,
  ) {}

  start(plan: ChildPlan): Child {
    if (this.signal.aborted) throw new Interrupted();
    const file = join(this.logs, `${plan.name}.log`);
    mkdirSync(dirname(file), { recursive: true });
    const log = openSync(file, 'a');
    const child = fork(join(__dirname, '..', plan.script), plan.args ?? [], {
      env: { ...process.env, ...plan.env },
      execArgv: ['--enable-source-maps', ...profilerOptions()],
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
      serialization: 'advanced',
    });
    closeSync(log);
    const started = new Child(plan, child, file, this.signal);
    this.live.add(started);
    child.once('exit', () => this.live.delete(started));
    return started;
  }

  /** Back when it says that it is ready. */
  async startReady(plan: ChildPlan): Promise<Child> {
    const child = this.start(plan);
    await child.receive('ready', this.signal, readySeconds);
    return child;
  }

  /** Runs a program that does one thing, of which it tells in one message, `{kind: "result", …}`. */
  async run<Result>(plan: ChildPlan, input: Serializable): Promise<Result> {
    const child = this.start(plan);
    child.send(input);
    const result = await child.receive<Result>('result', this.signal);
    await child.stop();
    return result;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.live].map((child) => child.stop()));
  }

  killAll(): void {
    for (const child of this.live) child.kill();
  }
}

/** `BENCH_CPU_PROFILE=1`: each program writes what it spent its time on, for Chromium's DevTools. */
function profilerOptions(): string[] {
  if (process.env['BENCH_CPU_PROFILE'] !== '1') return [];
  return ['--cpu-prof', `--cpu-prof-dir=${join(placesFor().data, 'bench-profiles')}`];
}
