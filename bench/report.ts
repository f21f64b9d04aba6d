import Table from 'cli-table3';

import { besides, ours, verdictOn, type Line, type Who } from './book';
import { median } from './spread';

const heads = ['figure', 'ours: median (spread)', 'peers', 'limit here', 'target', 'met'];

/** The table, for a terminal. */
export function tableOf(lines: readonly Line[]): string {
  const table = new Table({ head: heads, style: { head: [], border: [] }, wordWrap: true, colWidths: columnWidths });
  for (const row of rowsOf(lines)) table.push(row);
  return table.toString();
}

const columnWidths = [44, 24, 36, 44, 12, 6];

/** The same, for docs/performance.md. */
export function markdownOf(lines: readonly Line[]): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('\n', '<br/>')).join(' | ')} |`;
  return [row(heads), row(heads.map(() => '---')), ...rowsOf(lines).map(row)].join('\n');
}

function rowsOf(lines: readonly Line[]): string[][] {
  return lines.map((line) => {
    const { target, met } = verdictOn(line, lines);
    const { peers, limits } = besides(line);
    const sign = line.better === 'more' ? '≥' : '≤';
    return [
      `${line.figure}: ${line.what}`,
      told(line, line.values[ours] ?? []),
      peers.map(([who, values]) => `${who} ${told(line, values)}`).join('\n'),
      limits.map(([who, values]) => `${nameOfLimit(who)} ${told(line, values)}`).join('\n'),
      target === undefined ? '' : `${sign} ${shown(target)}`,
      met === undefined ? '' : met ? 'yes' : 'no',
    ];
  });
}

/** `97 ms (92–110)` */
function told({ unit }: Line, values: readonly number[]): string {
  if (values.length === 0) return '';
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const spread = values.length === 1 ? '' : ` (${shown(least)}–${shown(most)})`;
  return `${shown(median(values))}${unit === '' ? '' : ` ${unit}`}${spread}`;
}

/** `api 0.92 postgres 0.41 cores` */
export function coresTold(cores: Readonly<Record<string, number>>): string {
  const taken = Object.entries(cores).filter(([, share]) => share >= 0.01);
  return `${taken.map(([name, share]) => `${name} ${share.toFixed(2)}`).join(' ')} cores`;
}

/** As many digits as the noise of a measurement leaves. */
function shown(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

function nameOfLimit(who: Who): string {
  return who.slice('limit: '.length);
}
