#!/usr/bin/env node
import { CommanderError } from '@commander-js/extra-typings';

import { errorForPrograms, explainError } from './explain-error';
import { exitCodeOf, exitCodes } from './exit-codes';
import { createProgram } from './program';
import type { Session } from './session';
import { Terminal } from './terminal';

/** The `calls` command as a process. */
async function main(): Promise<void> {
  endWithReader();
  const interrupt = interrupted();
  const terminal = new Terminal(process.stdout, process.stderr, process.env);
  const session: Session = { terminal, env: process.env, signal: interrupt.signal, exitCode: exitCodes.ok };
  try {
    await createProgram(session).parseAsync(process.argv);
    process.exitCode = session.exitCode;
  } catch (error) {
    if (interrupt.signal.aborted) interrupt.end();
    else process.exitCode = report(error, terminal);
  }
}

function report(error: unknown, terminal: Terminal): number {
  // Commander has said it already; asking for help or the version is no mistake.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  const code = exitCodeOf(error);
  if (code === undefined) {
    terminal.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return exitCodes.refused;
  }
  if (process.argv.includes('--json')) terminal.note(JSON.stringify(errorForPrograms(error)));
  else for (const [index, line] of explainError(error).entries()) terminal.note(index === 0 ? `calls: ${line}` : line);
  return code;
}

/** `calls list | head -1`: who closes the pipe has read enough, and that is no error. */
function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(exitCodes.ok);
      throw error;
    });
  }
}

/** Ctrl-C lets the command stop where it is; a second one does not wait for that. */
function interrupted() {
  const controller = new AbortController();
  let received: NodeJS.Signals = 'SIGINT';
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      received = signal;
      controller.abort();
    });
  }
  return {
    signal: controller.signal,
    /** By the signal itself, so that a shell's loop around us ends too. */
    end: () => process.kill(process.pid, received),
  };
}

void main();
