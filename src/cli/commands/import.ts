import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';

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
      const csv = await contentOf(file);
      const idempotencyKey = key ?? `csv-${createHash('sha256').update(csv).digest('hex')}`;
      const summary = await connect(session, { url }).importCsv(csv, {
        idempotencyKey,
        signal,
        onRow: async (row) => {
          if (json) await terminal.printJson(row);
          else if (row.status === 'REFUSED') await terminal.print(refusal(row));
          if (row.row % 1_000 === 0) terminal.progress(`${row.row} rows`);
        },
      });
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

async function contentOf(file: string): Promise<Uint8Array> {
  try {
    return file === '-' ? await buffer(process.stdin) : await readFile(file);
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
