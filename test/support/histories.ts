import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Keeps a workflow's history for the replay test, when asked to by RECORD_HISTORIES=1. */
export async function recordHistory(name: string, read: () => Promise<string>): Promise<void> {
  if (process.env['RECORD_HISTORIES'] !== '1') return;
  // Where a failure was thrown is the recorder's business.
  const history = (await read()).replaceAll(/("stackTrace": )"(?:[^"\\]|\\.)*"/g, '$1""');
  await writeFile(join(__dirname, `../workflows/histories/${name}.json`), `${history}\n`);
}
