import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Names one process for good: a pid alone may by now belong to somebody else. */
export interface ProcessRecord {
  pid: number;
  /** As the system tells it: clock ticks since boot on Linux, a date elsewhere. */
  startTime: string;
  /** `host:port` it serves, for services. */
  address?: string;
}

export function recordOf(pid: number, address?: string): ProcessRecord {
  const startTime = startTimeOf(pid) ?? '';
  return address === undefined ? { pid, startTime } : { pid, startTime, address };
}

/** A zombie counts as dead: where nothing reaps orphans (a container without an init) it would stay for ever. */
export function isAlive(record: ProcessRecord): boolean {
  return record.startTime !== '' && startTimeOf(record.pid) === record.startTime;
}

export function readRecord(file: string): ProcessRecord | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function writeRecord(file: string, record: ProcessRecord): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(record)}\n`);
  renameSync(temporary, file);
}

export function removeRecord(file: string): void {
  rmSync(file, { force: true });
}

function isRecord(value: unknown): value is ProcessRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, startTime } = value as Partial<ProcessRecord>;
  return typeof pid === 'number' && pid > 1 && typeof startTime === 'string';
}

function startTimeOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      // The name in parentheses may hold spaces; field 3 (state) follows its last ')', field 22 is the start time.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
    } catch {
      return undefined;
    }
  }
  try {
    const [state, ...started] = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .trim()
      .split(/\s+/);
    return state === undefined || state.startsWith('Z') ? undefined : started.join(' ');
  } catch {
    return undefined;
  }
}
