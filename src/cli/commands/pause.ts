import type { Control } from '../../client';
import { apiCommand } from '../options';
import { printable, shortTime } from '../printable';
import { connect, type Session } from '../session';

/** `calls pause` */
export function pauseCommand(session: Session) {
  return apiCommand('pause')
    .summary('stop dialling')
    .description('From now on nothing new is dialled. Calls on the line go on; those that wait keep their places.')
    .option('-r, --reason <text>', 'why, for whoever looks')
    .action(async ({ reason, json, url }) => {
      const { signal } = session;
      await show(session, await connect(session, { url }).pause(reason, { signal }), json);
    });
}

/** `calls resume` */
export function resumeCommand(session: Session) {
  return apiCommand('resume')
    .summary('dial again')
    .description('Calls are dialled again, those that wait in their order.')
    .action(async ({ json, url }) => {
      const { signal } = session;
      await show(session, await connect(session, { url }).resume({ signal }), json);
    });
}

async function show({ terminal }: Session, control: Control, json: true | undefined): Promise<void> {
  await (json ? terminal.printJson(control) : terminal.print(`dialling: ${describePause(control)}`));
}

export function describePause({ pause }: Control): string {
  if (pause === null) return 'not paused';
  return `paused since ${shortTime(pause.since)}${pause.reason === null ? '' : `: ${printable(pause.reason)}`}`;
}
