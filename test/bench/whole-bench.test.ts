import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import { limitOf, ours, type Line } from '../../bench/book';
import { placesFor } from '../../infra/places';
import { waitUntil } from '../support/wait-until';

const endsWithinSeconds = 110;

interface Results {
  startedAt: string;
  machine: { cores: number };
  lines: Line[];
}

/** `npm run bench`, and every process that comes of it: they inherit its mark, or work in its directory. */
class RunningBench {
  stdout = '';
  stderr = '';
  private readonly mark = `BENCH_RUN=${randomUUID()}`;
  private readonly child: ChildProcess;

  constructor(...args: string[]) {
    const [name = '', value = ''] = this.mark.split('=');
    const script = join(placesFor().checkout, 'dist/bench/main.js');
    const env = { ...process.env, [name]: value };
    this.child = spawn(process.execPath, [script, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (chunk) => (this.stdout += String(chunk)));
    this.child.stderr?.on('data', (chunk) => (this.stderr += String(chunk)));
  }

  interrupt(): void {
    this.child.kill('SIGINT');
  }

  exitCode(): Promise<number> {
    return waitUntil('the end of the bench', () => this.child.exitCode ?? undefined, endsWithinSeconds);
  }

  /** Whether it has started one of its programs. */
  hasStarted(program: string): boolean {
    return existsSync(join(this.data, `logs/${program}.log`));
  }

  /** What each of its processes that live was called with. */
  commands(): string[] {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const own = pids.filter((pid) => {
      // Redis writes its title over its environment.
      return seen(() => readFileSync(`/proc/${pid}/environ`, 'utf8')).includes(this.mark) || this.worksIn(pid);
    });
    return own.map((pid) => seen(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' '));
  }

  private worksIn(pid: string): boolean {
    const directory = seen(() => readlinkSync(`/proc/${pid}/cwd`));
    // Of the first backing services, or of what is brought up beside them.
    return directory.startsWith(`${this.data}/`) || directory.startsWith(`${this.data}-`);
  }

  private get data(): string {
    return join(placesFor().data, `bench-of-${this.child.pid}`);
  }

  kill(): void {
    this.child.kill('SIGTERM');
  }
}

/** Nothing of a process that has just ended. */
function seen(look: () => string): string {
  try {
    return look();
  } catch {
    return '';
  }
}

function lastResults(): Results {
  const directory = join(placesFor().data, 'bench-quick');
  const name = readdirSync(directory)
    .filter((file) => file.endsWith('-2-processes.json'))
    .sort()
    .at(-1);
  return JSON.parse(readFileSync(join(directory, name ?? ''), 'utf8')) as Results;
}

let bench: RunningBench;
afterEach(() => bench.kill());

test('a figure is measured beside its limit, with two processes of a role, and nothing that ran is left', async () => {
  const before = new Date().toISOString();
  bench = new RunningBench('--quick', '--only', 'kafka-intake', '--processes', '2');
  await waitUntil('two bridges', () => bench.hasStarted('bridge-2'), endsWithinSeconds);
  const commands = bench.commands().join('\n');
  for (const program of ['redis-server', 'temporal', 'postgres', 'kafka', 'bridge'])
    expect(commands).toContain(program);

  expect([await bench.exitCode(), bench.stderr]).toEqual([0, '']);

  expect(bench.commands()).toEqual([]);
  expect(bench.stdout).toMatch(/kafka-intake.*[1-9][\d,.]* a second/);
  const { startedAt, machine, lines } = lastResults();
  expect(startedAt > before).toBe(true);
  expect(machine.cores).toBeGreaterThan(0);
  expect(lines.map(({ figure, target }) => [figure, target])).toEqual([['kafka-intake', 8_000]]);
  for (const who of [ours, limitOf('rows, 500 a commit')]) {
    expect(lines[0]?.values[who]).toEqual([expect.any(Number)]);
    expect(lines[0]?.values[who]?.[0]).toBeGreaterThan(0);
  }
});

test('Ctrl-C in the middle of a round ends it all without a complaint', async () => {
  bench = new RunningBench('--quick', '--only', 'accept');
  await waitUntil('a peer', () => bench.hasStarted('bullmq'), endsWithinSeconds);

  bench.interrupt();

  expect([await bench.exitCode(), bench.stderr]).toEqual([130, '']);
  expect(bench.commands()).toEqual([]);
});

test('Ctrl-C ends the backing services too that a figure has brought up beside the first', async () => {
  bench = new RunningBench('--quick', '--only', 'growth');
  const temporals = (): number => bench.commands().filter((command) => command.includes('temporal server')).length;
  await waitUntil('a second Temporal', () => temporals() === 2, endsWithinSeconds);

  bench.interrupt();

  expect([await bench.exitCode(), bench.stderr]).toEqual([130, '']);
  expect(bench.commands()).toEqual([]);
});
