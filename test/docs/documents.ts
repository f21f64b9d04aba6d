import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const checkout = join(__dirname, '../..');

export function readDocument(path: string): string {
  return readFileSync(join(checkout, path), 'utf8');
}

/** Every document for people, relative to the checkout. */
export const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'temporal-config/README.md',
  ...readdirSync(join(checkout, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .sort(),
];

/** The text between a heading of any level and the next of its level or above. */
export function section(text: string, heading: string): string {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  if (start === -1) throw new Error(`no heading "${heading}"`);
  const level = lines[start]?.indexOf(' ') ?? 0;
  const length = lines.slice(start + 1).findIndex((line) => /^#+ /.test(line) && line.indexOf(' ') <= level);
  return lines.slice(start + 1, length === -1 ? undefined : start + 1 + length).join('\n');
}

/** The cells of each row of a section's tables, without the headings and rules. */
export function tableRows(text: string): string[][] {
  const rows = text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
  return rows.filter((_, index) => !isRule(rows[index]) && !isRule(rows[index + 1]));
}

function isRule(row: string[] | undefined): boolean {
  return row?.every((cell) => /^:?-+:?$/.test(cell)) ?? false;
}

/** `PORT` of a cell that reads "`PORT`". */
export function codeIn(cell = ''): string {
  return /^`([^`]*)`$/.exec(cell)?.[1] ?? cell;
}

/** The source of each fenced block of a language. */
export function fencedBlocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, source = '']) => source);
}

/** The source of each mermaid diagram. */
export function diagrams(text: string): string[] {
  return fencedBlocks(text, 'mermaid');
}

/** The text without its fenced blocks. */
export function prose(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, '');
}
