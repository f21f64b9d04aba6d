import { createHash } from 'node:crypto';
import { constants, createReadStream, createWriteStream, openAsBlob } from 'node:fs';
import { access, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import type { ImportedRow } from '../../client';
import { exitCodes, UsageError } from '../exit-codes';
import { apiCommand } from '../options';
import { printable } from '../printable';
import { connect, type Session } from '../session';

/** `calls import` */
export function importCommand(session: Session) {
  return apiCommand('import')
    .summary('request the calls of a CSV file')
    .description(
      'Requests the calls of a CSV file with the columns to, scriptId, priority, expiresAt, requestId, webhookUrl and ' +
        'metadata.<name>, and shows the rows that were refused. The same file makes no call twice.',
    )
    .argument('<file>', 'the file; - for stdin')
    .option('-k, --key <key>', "Idempotency-Key in place of one made of the file's content")
    .addHelpText('after', '\nExit code 1 where any row was refused.')
    .action(async (file, { key, json, url }) => {
      const { terminal, signal } = session;
      const summary = await withContent(file, signal, async (csv) =>
        connect(session, { url }).importCsv(csv, {
          idempotencyKey: key ?? `csv-${await hashOf(csv)}`,
          signal,
          onRow: async (row) => {
            if (json) await terminal.printJson(row);
            else if (row.status === 'REFUSED') await terminal.print(refusal(row));
            if (row.row % 1_000 === 0) terminal.progress(`${row.row} rows`);
          },
        }),
      );
      terminal.progress('');
      const { rows, accepted, replayed, refused } = summary;
      if (json) await terminal.printJson({ summary });
      else await terminal.print(`${rows} rows: ${accepted} accepted, ${replayed} known already, ${refused} refused`);
      session.exitCode = refused === 0 ? exitCodes.ok : exitCodes.refused;
    });
}

function refusal({ row, code, error }: ImportedRow): string {
  return printable(`row ${row}: ${error ?? ''} (${code ?? ''})`);
}

/** A file is read as it is sent, however large; what can be read but once, such as stdin, is kept in one until it is sent. */
async function withContent<T>(file: string, signal: AbortSignal, use: (content: Blob) => Promise<T>): Promise<T> {
  if (await isFile(file)) return use(await openAsBlob(file));
  const folder = await mkdtemp(join(tmpdir(), 'calls-import-'));
  try {
    const kept = join(folder, 'calls.csv');
    const source = file === '-' ? process.stdin : createReadStream(file);
    await pipeline(source, createWriteStream(kept, { mode: 0o600 }), { signal }).catch(unreadable(file));
    return await use(await openAsBlob(kept));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function isFile(file: string): Promise<boolean> {
  if (file === '-') return false;
  await access(file, constants.R_OK).catch(unreadable(file));
  return (await stat(file)).isFile();
}

function unreadable(file: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof Error && error.name === 'AbortError') throw error;
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  };
}

async function hashOf(content: Blob): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of content.stream() as AsyncIterable<Uint8Array>) hash.update(chunk);
  return hash.digest('hex');
}
