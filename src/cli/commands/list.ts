import type { Call } from '../../client';
import { filterCommand, filterOf, wholeNumber } from '../options';
import { connect, type Session } from '../session';
import { callColumns } from '../show-call';

/** `calls list` */
export function listCommand(session: Session) {
  return filterCommand('list')
    .summary('list calls, newest first')
    .description('Lists calls, newest first.')
    .option('-n, --limit <number>', 'at most so many', wholeNumber(1, 1_000_000), 50)
    .option('--all', 'every one that matches')
    .addHelpText('after', '\nExample:\n  calls list --status FAILED,EXPIRED --script testScript --limit 20')
    .action(async (options) => {
      const { signal, terminal } = session;
      const limit = options.all ? Number.POSITIVE_INFINITY : options.limit;
      const rows: Call[] = [];
      let listed = 0;
      for await (const call of connect(session, options).listAll(filterOf(options), { signal, limit })) {
        listed++;
        // As they come: for programs there is no width to know first.
        if (options.json) await terminal.printJson(call);
        else rows.push(call);
      }
      if (options.json) return;
      if (rows.length > 0) await terminal.printTable(callColumns(terminal), rows);
      else terminal.note('No call matches.');
      if (listed >= limit && terminal.isForPeople)
        terminal.note(`\nThe newest ${listed}: there may be more (--limit, --all).`);
    });
}
