import { callStatuses } from '../../call/call';
import { apiCommand } from '../options';
import { connect, type Session } from '../session';

/** `calls stats` */
export function statsCommand(session: Session) {
  return apiCommand('stats')
    .summary('count calls and slots')
    .description('Counts calls by status, and slots by use.')
    .action(async ({ json, url }) => {
      const { terminal, signal } = session;
      const stats = await connect(session, { url }).stats({ signal });
      if (json) return terminal.printJson(stats);
      const { limit, held, waiting } = stats.slots;
      await terminal.printRecord([
        ...callStatuses.map((status): [string, string] => [status, String(stats[status])]),
        ['slots', `${held} of ${limit} held, ${waiting} waiting`],
      ]);
    });
}
