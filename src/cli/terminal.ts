import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { styleText } from 'node:util';

import { renderRecord, renderTable, type Column } from './table';

/** How the command writes: results on stdout, everything else on stderr. */
export class Terminal {
  constructor(
    private readonly stdout: NodeJS.WriteStream,
    private readonly stderr: NodeJS.WriteStream,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** Columns of the terminal; undefined where stdout is a file or a pipe, unless COLUMNS says. */
  get width(): number | undefined {
    const asked = Number(this.env['COLUMNS']);
    if (Number.isInteger(asked) && asked > 0) return asked;
    return this.stdout.isTTY ? this.stdout.columns : undefined;
  }

  get isForPeople(): boolean {
    return this.stdout.isTTY;
  }

  /** Waits for a reader that is slower than we are. */
  async print(text: string): Promise<void> {
    if (!this.stdout.write(`${text}\n`)) await once(this.stdout, 'drain');
  }

  async printBytes(bytes: Uint8Array): Promise<void> {
    if (!this.stdout.write(bytes)) await once(this.stdout, 'drain');
  }

  printJson(value: unknown): Promise<void> {
    return this.print(JSON.stringify(value));
  }

  /** @param withTitles false for rows that go on below a table */
  async printTable<Row>(columns: Column<Row>[], rows: Row[], withTitles = true): Promise<void> {
    await this.print(renderTable(columns, rows, this.width, withTitles));
  }

  async printRecord(pairs: [name: string, value: string][]): Promise<void> {
    await this.print(renderRecord(pairs));
  }

  /** For the person in front, not for what reads the result. */
  note(text: string): void {
    this.stderr.write(`${text}\n`);
  }

  /** @returns what a person answered; nothing where there is none to ask */
  async ask(question: string, signal: AbortSignal): Promise<string> {
    if (!process.stdin.isTTY) return '';
    const asking = createInterface({ input: process.stdin, output: this.stderr });
    try {
      return (await asking.question(question, { signal })).trim();
    } finally {
      asking.close();
    }
  }

  /** Overwritten by the next; nothing where nobody watches. */
  progress(text: string): void {
    if (this.stderr.isTTY) this.stderr.write(`\r\u001b[K${text}`);
  }

  /** @see https://no-color.org */
  colour(format: 'green' | 'red' | 'yellow' | 'cyan' | 'dim', text: string): string {
    return this.stdout.isTTY && !this.env['NO_COLOR'] && this.env['TERM'] !== 'dumb' ? styleText(format, text) : text;
  }
}
