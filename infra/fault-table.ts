import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What one fault did, by the provider's own count. A line of the table that the fault suite prints. */
export interface FaultRow {
  /** The fault's number in the suite. */
  number: number;
  fault: string;
  /** How often it was really injected. */
  fired: number;
  /** Calls accepted while it was rehearsed. */
  calls: number;
  /** Of those, the ones that reached no final status. */
  lost: number;
  doubleDials: number;
  /** Most calls on the line at once, and the limit. */
  peak: number;
  limit: number;
  peakPerNumber: number;
  /** Slots still held once all was quiet. */
  slotsLeft: number;
  /** From the end of the fault until every call was final and every slot free. */
  convergedSeconds: number;
}

/** Each of Jest's workers is a process of its own: the rows meet in a file of the run's. */
const fileOf = (dataDirectory: string): string => join(dataDirectory, 'run/faults.jsonl');

export function noteFault(dataDirectory: string, row: FaultRow): void {
  const file = fileOf(dataDirectory);
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, `${JSON.stringify(row)}\n`);
}

/** @returns the rows noted so far, in the order of their numbers; forgets them */
export function takeFaults(dataDirectory: string): FaultRow[] {
  const file = fileOf(dataDirectory);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  rmSync(file);
  const rows = lines.map((line) => JSON.parse(line) as FaultRow);
  return rows.sort((a, b) => a.number - b.number);
}

const columns: readonly [title: string, cell: (row: FaultRow) => string][] = [
  ['#', (row) => String(row.number)],
  ['fault', (row) => row.fault],
  ['fired', (row) => String(row.fired)],
  ['calls', (row) => String(row.calls)],
  ['lost', (row) => String(row.lost)],
  ['double dials', (row) => String(row.doubleDials)],
  ['peak', (row) => `${row.peak} of ${row.limit}`],
  ['per number', (row) => String(row.peakPerNumber)],
  ['slots left', (row) => String(row.slotsLeft)],
  ['converged', (row) => `${row.convergedSeconds.toFixed(1)} s`],
];

export function renderFaults(rows: readonly FaultRow[]): string {
  const table = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, cell]) => cell(row)))];
  const widths = columns.map((_, index) => Math.max(...table.map((cells) => cells[index]?.length ?? 0)));
  const isText = (index: number): boolean => columns[index]?.[0] === 'fault';
  return table
    .map((cells) =>
      cells.map((cell, i) => (isText(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
    )
    .join('\n');
}
