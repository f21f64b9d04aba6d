import { Command, type CommandUnknownOpts } from '@commander-js/extra-typings';

import packageJson from '../../package.json';
import { cancelCommand, forgetCommand, retryCommand, updateCommand } from './commands/change';
import { completeCommand, completionCommand } from './commands/completion';
import { createCommand } from './commands/create';
import { exportCommand } from './commands/export';
import { getCommand } from './commands/get';
import { importCommand } from './commands/import';
import { keysCommand } from './commands/keys';
import { listCommand } from './commands/list';
import { pauseCommand, resumeCommand } from './commands/pause';
import { retryFailedCommand } from './commands/retry-failed';
import { statsCommand } from './commands/stats';
import { watchCommand } from './commands/watch';
import type { Session } from './session';

const callCommands = [
  createCommand,
  getCommand,
  listCommand,
  watchCommand,
  importCommand,
  exportCommand,
  updateCommand,
  cancelCommand,
  retryCommand,
  retryFailedCommand,
  forgetCommand,
  statsCommand,
];

/** Every command; docs/command-line.md is for those who use them. */
export function createProgram(session: Session): CommandUnknownOpts {
  const { terminal } = session;
  const program: CommandUnknownOpts = new Command('calls')
    .description('Requests phone calls from the AI Call Orchestrator, and shows what became of them.')
    .version(packageJson.version)
    .addHelpText('after', environment)
    .showHelpAfterError('(--help shows what may be given)')
    .configureOutput({
      getOutHelpWidth: () => terminal.width ?? 100,
      getErrHelpWidth: () => terminal.width ?? 100,
    })
    .exitOverride();
  program.commandsGroup('Calls:');
  for (const make of callCommands) add(program, make(session));
  program.commandsGroup('Operation:');
  add(program, pauseCommand(session));
  add(program, resumeCommand(session));
  add(program, keysCommand(session));
  program.commandsGroup('This command line:');
  add(program, completionCommand(session));
  program.addCommand(completeCommand(session, program).copyInheritedSettings(program), { hidden: true });
  program.helpCommand('help [command]', 'show the help of a command');
  return program;
}

function add(program: CommandUnknownOpts, command: CommandUnknownOpts) {
  program.addCommand(command.copyInheritedSettings(program));
  for (const inner of command.commands) inner.copyInheritedSettings(program);
}

const environment = `
Environment:
  CALLS_URL           where the service is, by itself http://127.0.0.1:3000
  CALLS_API_KEY       the key to call it with, where it asks for one
  CALLS_API_KEY_FILE  a file that holds the key

Exit codes:
  0 done   1 refused, or a call did not end well   2 wrong usage   3 no such call
  4 not allowed   5 service away   6 timed out   130 Ctrl-C`;
