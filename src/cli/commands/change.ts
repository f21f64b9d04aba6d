import type { Call, CallsClient } from '../../client';
import { UsageError } from '../exit-codes';
import { apiCommand, metadataJson, moment } from '../options';
import { connect, type Session } from '../session';
import { showCall } from '../show-call';

/** `calls update` */
export function updateCommand(session: Session) {
  return apiCommand('update')
    .summary('change a call that is PENDING')
    .description('Changes a call that is PENDING: that is, before an attempt, or between two.')
    .argument('<id>', 'the id of the call')
    .option('--to <number>', 'whom to call')
    .option('-s, --script <id>', 'the script the provider speaks')
    .option('--metadata-json <object>', 'in place of all the metadata it has', metadataJson)
    .option('--expires-at <time>', 'give it up if it has not ended well by then', moment)
    .action(async (id, { to, script, metadataJson: metadata, expiresAt, json, url }) => {
      const change = {
        ...(to !== undefined && { to }),
        ...(script !== undefined && { scriptId: script }),
        ...(metadata !== undefined && { metadata }),
        ...(expiresAt !== undefined && { expiresAt }),
      };
      if (Object.keys(change).length === 0)
        throw new UsageError('Nothing to change was given: see calls update --help.');
      const call = await connect(session, { url }).update(id, change, { signal: session.signal });
      await showCall(session.terminal, call, json);
    });
}

/** `calls cancel` */
export function cancelCommand(session: Session) {
  return onEachCall(session, 'cancel', 'withdraw calls', (client, id) =>
    client.cancel(id, { signal: session.signal }),
  ).description('Withdraws calls that have not ended; a live line is hung up.');
}

/** `calls retry` */
export function retryCommand(session: Session) {
  return onEachCall(session, 'retry', 'start calls again', (client, id) =>
    client.retry(id, { signal: session.signal }),
  ).description('Starts FAILED, EXPIRED or CANCELED calls again, with fresh attempts.');
}

/** `calls forget` */
export function forgetCommand(session: Session) {
  return onEachCall(session, 'forget', 'forget the person called', (client, id) =>
    client.forget(id, { signal: session.signal }),
  )
    .description('Forgets the person in calls that are over: number, metadata, free texts. Nothing brings them back.')
    .option('-y, --yes', 'without being asked')
    .hook('preAction', async (command) => {
      if (command.opts().yes) return;
      const answer = await session.terminal.ask(
        'Forget the person in these calls, for good? (yes/no) ',
        session.signal,
      );
      if (answer !== 'yes') throw new UsageError('Nothing was forgotten: that takes a yes, or --yes.');
    });
}

/** One after the other; the first that is refused ends it, so that its exit code is about that one. */
function onEachCall(
  session: Session,
  name: string,
  summary: string,
  act: (client: CallsClient, id: string) => Promise<Call>,
) {
  return apiCommand(name)
    .summary(summary)
    .argument('<id...>', 'the ids of the calls')
    .action(async (ids, { json, url }) => {
      const { terminal } = session;
      const client = connect(session, { url });
      for (const id of ids) {
        const call = await act(client, id);
        await (json ? terminal.printJson(call) : terminal.print(`${call.id}  ${call.status}`));
      }
    });
}
