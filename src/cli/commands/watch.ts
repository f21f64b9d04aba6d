import { isFinal } from '../../call/transitions';
import { CallsTimeoutError, type Call, type CallEvent, type CallRejectedEvent, type CallsClient } from '../../client';
import { apiCommand, duration, eventTypeOption, statusOption } from '../options';
import { connect, type Session } from '../session';
import { exitCodeOfEnd, watchedColumns } from '../show-call';

/** `calls watch` */
export function watchCommand(session: Session) {
  return apiCommand('watch')
    .summary('show what happens, as it happens')
    .description('Shows what happens to all calls from now on; or the timeline of one call, until it has ended.')
    .argument('[id]', 'the id of a call')
    .addOption(eventTypeOption())
    .addOption(statusOption())
    .option('--to <number>', 'to this number')
    .option('-s, --script <id>', 'with this script')
    .option('--timeout <time>', 'with an id: no longer than that; exit code 6', duration)
    .addHelpText('after', '\nWith an id the exit code is 1 unless the call ends COMPLETED.')
    .addHelpText('after', '\nExample:\n  calls watch --type call.failed,call.expired --script testScript')
    .action(async (id, { json, url, timeout, script, type, ...filter }, command) => {
      const isFiltered = [script, type, filter.status, filter.to].some((given) => given !== undefined);
      if (id !== undefined && isFiltered) command.error('error: filters are for all calls, not for one');
      if (id === undefined && timeout) command.error("error: '--timeout' is for one call");
      const client = connect(session, { url });
      const show = eventPrinter(session, json);
      if (id !== undefined) {
        const ended = await watchUntilFinal(client, id, { timeout, signal: session.signal, show });
        session.exitCode = exitCodeOfEnd(ended);
        return;
      }
      const request = { ...filter, types: type, scriptId: script, signal: session.signal };
      for await (const { event } of client.stream({ ...request, onInterrupted: show.interrupted }))
        await show.event(event);
    });
}

type EventPrinter = ReturnType<typeof eventPrinter>;

function eventPrinter({ terminal }: Session, json: boolean | undefined) {
  let isFirst = true;
  let isInterrupted = false;
  return {
    event: async (event: CallEvent | CallRejectedEvent) => {
      isInterrupted = false;
      await (json ? terminal.printJson(event) : terminal.printTable(watchedColumns, [event], isFirst));
      isFirst = false;
    },
    /** Said once, however often it is tried. */
    interrupted: ({ message }: Error) => {
      if (!isInterrupted) terminal.note(`calls: ${message}; going on from here once it can be reached`);
      isInterrupted = true;
    },
  };
}

interface Watch {
  timeout: number | undefined;
  signal: AbortSignal;
  show: EventPrinter;
}

async function watchUntilFinal(client: CallsClient, id: string, { timeout, signal, show }: Watch): Promise<Call> {
  // An end that is in the past counts only where nothing came after it: the call may have been retried.
  const known = (await client.events(id, { signal })).at(-1);
  const timeoutSignal = timeout === undefined ? undefined : AbortSignal.timeout(timeout * 1_000);
  let last = known?.call;
  try {
    const ends = timeoutSignal ? AbortSignal.any([signal, timeoutSignal]) : signal;
    for await (const { event } of client.streamCall(id, { signal: ends, onInterrupted: show.interrupted })) {
      await show.event(event);
      last = event.call;
      if (isFinal(last.status) && event.sequence >= (known?.sequence ?? 0)) return last;
    }
  } catch (error) {
    if (signal.aborted || !timeoutSignal?.aborted || !last) throw error;
    throw new CallsTimeoutError(`Call ${id} is ${last.status}: it has not ended within ${timeout} s`, last);
  }
  throw new Error(`The stream of call ${id} ended before it`);
}
