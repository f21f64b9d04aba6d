import Table from 'cli-table3';
import stringWidth from 'string-width';

import { printable } from './printable';

export interface Column<Row> {
  title: string;
  value: (row: Row) => string;
  /** As wide at least, whatever is in it. */
  minWidth?: number;
  /** Where the terminal is too narrow for all, the highest goes first; without it the column stays. */
  dropOrder?: number;
  /** May be cut to so many characters before any column is dropped. */
  shrinkTo?: number;
  style?: (text: string, row: Row) => string;
}

const gap = 2;

/**
 * Rows under their titles. On a terminal they fit its width: long columns are cut, then the less important ones are left
 * out, and where even that does not do each row is shown as a block of lines. Elsewhere nothing is cut.
 *
 * @param width of the terminal; undefined where there is none
 * @param withTitles false for rows that go on below a table
 */
export function renderTable<Row>(
  columns: Column<Row>[],
  rows: Row[],
  width: number | undefined,
  withTitles = true,
): string {
  const natural = new Map(columns.map((column) => [column, naturalWidth(column, rows)]));
  const fitting = fit(columns, natural, width ?? Number.POSITIVE_INFINITY);
  if (!fitting) return rows.map((row) => renderRecord(pairsOf(columns, row))).join('\n\n');
  const table = new Table({
    chars: noLines,
    style: { 'padding-left': 0, 'padding-right': gap, head: [], border: [], compact: true },
    colWidths: fitting.map(({ width: columnWidth }) => columnWidth + gap),
  });
  if (withTitles) table.push(fitting.map(({ column }) => column.title));
  for (const row of rows) {
    table.push(
      fitting.map(({ column }) => {
        const text = printable(column.value(row));
        return column.style ? column.style(text, row) : text;
      }),
    );
  }
  return trimmed(table.toString());
}

/** Names and values, a line each. */
export function renderRecord(pairs: [name: string, value: string][]): string {
  const nameWidth = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(nameWidth + gap)}${printable(value)}`.trimEnd()).join('\n');
}

function pairsOf<Row>(columns: Column<Row>[], row: Row): [string, string][] {
  return columns.map((column) => [column.title, column.value(row)]);
}

interface Fitted<Row> {
  column: Column<Row>;
  width: number;
}

function fit<Row>(columns: Column<Row>[], natural: Map<Column<Row>, number>, width: number): Fitted<Row>[] | undefined {
  const fitted = columns.map((column) => ({ column, width: natural.get(column) ?? 0 }));
  const excess = () => fitted.reduce((sum, one) => sum + one.width + gap, -gap) - width;
  for (const one of [...fitted].sort((a, b) => b.width - a.width)) {
    const least = one.column.shrinkTo ?? one.width;
    if (excess() > 0 && one.width > least) one.width = Math.max(least, one.width - excess());
  }
  if (excess() <= 0) return fitted;
  const dropped = columns.reduce<Column<Row> | undefined>(
    (last, column) => ((column.dropOrder ?? 0) > (last?.dropOrder ?? 0) ? column : last),
    undefined,
  );
  if (!dropped) return undefined;
  return fit(
    columns.filter((column) => column !== dropped),
    natural,
    width,
  );
}

function naturalWidth<Row>({ title, value, minWidth = 0 }: Column<Row>, rows: Row[]): number {
  const least = Math.max(title.length, minWidth);
  return rows.reduce((widest, row) => Math.max(widest, stringWidth(printable(value(row)))), least);
}

function trimmed(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const noLines = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '' },
};
