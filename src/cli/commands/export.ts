import { open } from 'node:fs/promises';

import { Option } from '@commander-js/extra-typings';

import { UsageError } from '../exit-codes';
import { filterCommand, filterOf } from '../options';
import { connect, type Session } from '../session';

/** `calls export` */
export function exportCommand(session: Session) {
  return filterCommand('export')
    .summary('write calls to a file')
    .description('Writes every call that matches, newest first, to a file or to stdout.')
    .addOption(
      new Option('-f, --format <format>', 'a table, or a JSON object a line')
        .choices(['csv', 'ndjson'] as const)
        .default('csv' as const),
    )
    .option('-o, --output <file>', 'where to; by itself stdout')
    .addHelpText('after', '\nExample:\n  calls export --since 24h --status FAILED -o failed.csv')
    .action(async (options) => {
      const { signal, terminal } = session;
      const format = options.json ? 'ndjson' : options.format;
      const parts = connect(session, options).exportFile(format, filterOf(options), { signal });
      if (options.output === undefined) {
        for await (const part of parts) await terminal.printBytes(part);
        return;
      }
      const file = await openForWriting(options.output);
      try {
        for await (const part of parts) await file.writeFile(part);
      } finally {
        await file.close();
      }
    });
}

async function openForWriting(path: string) {
  try {
    return await open(path, 'w');
  } catch (error) {
    throw new UsageError(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}
