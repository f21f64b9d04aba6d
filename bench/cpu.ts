import { readdirSync, readFileSync } from 'node:fs';

/** What processes take of the machine, as /proc tells (Linux only). */

const ticksPerSecond = 100;

interface Usage {
  parent: number;
  /** Of the process, and of its children that have ended. */
  seconds: number;
}

/** CPU seconds by name, since the process of that name and its descendants began. */
export function cpuSeconds(pids: Readonly<Record<string, number>>): Record<string, number> {
  const usages = readUsages();
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, secondsOf(pid, usages)]));
}

/** Cores taken by each, between two readings. */
export function coresBetween(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
  seconds: number,
): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([name, cpu]) => [name, (cpu - (before[name] ?? 0)) / seconds]));
}

export function residentMegabytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1_024;
}

function secondsOf(pid: number, usages: ReadonlyMap<number, Usage>): number {
  const children = [...usages].filter(([, { parent }]) => parent === pid).map(([child]) => child);
  return (usages.get(pid)?.seconds ?? 0) + children.reduce((sum, child) => sum + secondsOf(child, usages), 0);
}

function readUsages(): Map<number, Usage> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return new Map(
    pids.flatMap((pid) => {
      const stat = read(`/proc/${pid}/stat`);
      if (stat === '') return [];
      // The name in parentheses may hold spaces; after its last ')' come the state, field 3, and the parent, field 4.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      return [[Number(pid), { parent: Number(fields[1]), seconds: ticks / ticksPerSecond }] as const];
    }),
  );
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
