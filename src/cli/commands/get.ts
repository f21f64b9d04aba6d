import { apiCommand } from '../options';
import { connect, type Session } from '../session';
import { attemptColumns, eventColumns, showCall } from '../show-call';

/** `calls get` */
export function getCommand(session: Session) {
  return apiCommand('get')
    .summary('show a call')
    .description('Shows a call as it is now.')
    .argument('<id>', 'the id of the call')
    .option('-a, --attempts', 'and each attempt: slot, outcome, times')
    .option('-e, --events', 'and its whole timeline')
    .addHelpText('after', '\nWith --json, attempts and events are fields beside those of the call.')
    .action(async (id, { attempts: withAttempts, events: withEvents, json, url }) => {
      const { signal, terminal } = session;
      const client = connect(session, { url });
      const [call, attempts, events] = await Promise.all([
        client.get(id, { signal }),
        withAttempts ? client.attempts(id, { signal }) : undefined,
        withEvents ? client.events(id, { signal }) : undefined,
      ]);
      if (json)
        return terminal.printJson({ ...call, ...(attempts && { attemptList: attempts }), ...(events && { events }) });
      await showCall(terminal, call, false);
      if (attempts) {
        await terminal.print('');
        await terminal.printTable(attemptColumns, attempts);
      }
      if (events) {
        await terminal.print('');
        await terminal.printTable(eventColumns, events);
      }
    });
}
