import { besides, ours, type Line, type Who } from './book';
import { median } from './spread';

const width = 720;
const labelWidth = 300;
const barHeight = 18;
const rowHeight = 24;
const headHeight = 34;
const colours = { ours: '#2563eb', peer: '#94a3b8', limit: '#e2e8f0' };

/** A picture for each figure, by its name: a bar for the median of each, and a whisker from the least to the most. */
export function picturesOf(lines: readonly Line[]): Record<string, string> {
  const names = [...new Set(lines.map(({ figure }) => figure))];
  return Object.fromEntries(names.map((name) => [name, pictureOf(lines.filter(({ figure }) => figure === name))]));
}

function pictureOf(lines: readonly Line[]): string {
  let y = 8;
  const parts: string[] = [];
  for (const line of lines) {
    const bars = barsOf(line);
    const most = Math.max(...bars.flatMap(({ values }) => values), line.target ?? 0);
    const scale = (value: number): number => labelWidth + (value / most) * (width - labelWidth - 110);
    parts.push(text(8, y + 20, `${line.what}${line.unit === '' ? '' : `, ${line.unit}`}`, 'bold'));
    const top = y + headHeight;
    for (const [index, bar] of bars.entries()) parts.push(drawBar(bar, top + index * rowHeight, scale));
    y = top + bars.length * rowHeight + 10;
    if (line.target !== undefined) parts.push(drawTarget(scale(line.target), top, y - 12));
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

interface Bar {
  label: string;
  values: number[];
  colour: string;
}

function barsOf(line: Line): Bar[] {
  const { peers, limits } = besides(line);
  const bar =
    (colour: string) =>
    ([who, values]: [Who, number[]]) => ({ label: who, values, colour });
  return [
    { label: 'this service', values: line.values[ours] ?? [], colour: colours.ours },
    ...peers.map(bar(colours.peer)),
    ...limits.map(bar(colours.limit)),
  ].filter(({ values }) => values.length > 0);
}

function drawBar({ label, values, colour }: Bar, y: number, scale: (value: number) => number): string {
  const middle = y + barHeight / 2;
  const value = median(values);
  const [from, to] = [scale(Math.min(...values)), scale(Math.max(...values))];
  return [
    text(8, middle + 5, label),
    `<rect x="${labelWidth}" y="${y}" width="${(scale(value) - labelWidth).toFixed(1)}" height="${barHeight}" fill="${colour}"/>`,
    `<line x1="${from.toFixed(1)}" x2="${to.toFixed(1)}" y1="${middle}" y2="${middle}" stroke="#0f172a"/>`,
    text(Math.max(to, scale(value)) + 6, middle + 5, shown(value)),
  ].join('\n');
}

function drawTarget(x: number, from: number, to: number): string {
  return `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${from - 4}" y2="${to}" stroke="#dc2626" stroke-dasharray="4 3"/>`;
}

function text(x: number, y: number, words: string, weight = 'normal'): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y}" font-weight="${weight}" fill="#0f172a">${escaped}</text>`;
}

function shown(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: value >= 1_000 ? 4 : 3 });
}
