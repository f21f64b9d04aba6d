import type { Call } from '../../client';
import { CallsApiError } from '../../client';
import { exitCodes, UsageError } from '../exit-codes';
import { apiCommand, moment } from '../options';
import { printable, shortTime } from '../printable';
import { connect, type Session } from '../session';

/** `calls retry-failed` */
export function retryFailedCommand(session: Session) {
  return apiCommand('retry-failed')
    .summary('start all calls again that failed in a certain time, or for a certain reason')
    .description(
      'Starts FAILED calls again, with fresh attempts, oldest failure first. Shows them first; --yes starts them.',
    )
    .option('--since <time>', 'that failed at this time or later; or so long ago, such as 2h', moment)
    .option('--until <time>', 'that failed before this time', moment)
    .option('--reason <text>', 'whose lastError has this text in it, in capitals or not')
    .option('-s, --script <id>', 'with this script')
    .option('-y, --yes', 'start them')
    .addHelpText(
      'after',
      "\nExample:\n  calls retry-failed --since 2026-11-25T09:00:00Z --until 2026-11-25T10:00:00Z --reason 'no answer' --yes" +
        '\n\nExit code 1 where any could not be started, such as one whose number has another call by now.',
    )
    .action(async ({ since, until, reason, script, yes, json, url }) => {
      if (since === undefined && until === undefined && reason === undefined && script === undefined) {
        throw new UsageError('Say which: --since, --until, --reason or --script.');
      }
      const { terminal, signal } = session;
      const client = connect(session, { url });
      const chosen: Call[] = [];
      for await (const call of client.listAll(
        { status: ['FAILED'], scriptId: script, createdBefore: until },
        { signal },
      )) {
        if (failedWithin(call, since, until) && hasReason(call, reason)) chosen.push(call);
      }
      chosen.sort((a, b) => (a.endedAt ?? '').localeCompare(b.endedAt ?? ''));
      if (yes !== true) {
        for (const call of chosen) await (json ? terminal.printJson(call) : terminal.print(lineOf(call)));
        terminal.note(`${chosen.length} would be started again: --yes does it.`);
        return;
      }
      let refused = 0;
      for (const { id } of chosen) {
        try {
          const call = await client.retry(id, { signal });
          await (json ? terminal.printJson(call) : terminal.print(`${id}  ${call.status}`));
        } catch (error) {
          // One that cannot be started says nothing of the others; a service that is away does.
          if (!(error instanceof CallsApiError) || error.status !== 409) throw error;
          refused++;
          terminal.note(printable(`${id}  ${error.message} (${error.code ?? String(error.status)})`));
        }
      }
      terminal.note(`${chosen.length - refused} started again, ${refused} refused`);
      if (refused > 0) session.exitCode = exitCodes.refused;
    });
}

function failedWithin({ endedAt }: Call, since = '', until = '9999'): boolean {
  return endedAt !== null && endedAt >= since && endedAt < until;
}

function hasReason({ lastError }: Call, reason = ''): boolean {
  return (lastError ?? '').toLowerCase().includes(reason.toLowerCase());
}

function lineOf({ id, endedAt, lastError }: Call): string {
  return printable(`${id}  ${shortTime(endedAt)}  ${lastError ?? ''}`);
}
