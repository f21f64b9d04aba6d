import { callStatuses } from '../../call/call';
import { apiCommand } from '../options';
import { connect, type Session } from '../session';
import { describePause } from './pause';

/** `calls stats` */
export function statsCommand(session: Session) {
  return apiCommand('stats')
    .summary('count calls and slots')
    .description('Counts calls by status, and slots by use; says whether dialling is paused.')
    .action(async ({ json, url }) => {
      const { terminal, signal } = session;
      const client = connect(session, { url });
      const [stats, control] = await Promise.all([client.stats({ signal }), client.control({ signal })]);
      if (json) return terminal.printJson({ ...stats, ...control });
      const { limit, held, waiting } = stats.slots;
      await terminal.printRecord([
        ...callStatuses.map((status): [string, string] => [status, String(stats[status])]),
        ['slots', `${held} of ${limit} held, ${waiting} waiting`],
        ['dialling', describePause(control)],
      ]);
    });
}
