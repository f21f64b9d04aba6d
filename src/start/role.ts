import type { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';

import pino from 'pino';

import { ConfigError, readConfig, type Config } from '../config';
import { createLog, type Logger } from '../log';
import { startTracing } from './tracing';

/** A role of the service that is running: one of the processes that README lists. */
export interface RunningRole {
  /** Finishes or hands back what the process holds. */
  close: () => Promise<void>;
  /** Settles, with a rejection, only where the role cannot go on by itself: the process then exits non-zero. */
  failed?: Promise<never>;
}

export interface RoleContext {
  config: Config;
  log: Logger;
}

/** A dependency that a role cannot work without stayed away; the message says which, and what to do. */
export class DependencyError extends Error {
  override name = 'DependencyError';
}

const closeDeadlineSeconds = 28;

/**
 * Runs one role as this process: settings, log, then `open`; SIGTERM, SIGINT and a vanished supervisor close it. Exits 0
 * after an orderly end, 1 with one clear line where the settings are wrong or a dependency stays away.
 */
export async function runRole(name: string, open: (context: RoleContext) => Promise<RunningRole>): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const config = settingsOrExit();
  const log = createLog(name, config.LOG_LEVEL);
  const exit = exitAfterLastLines(log);
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'cannot go on');
    exit(1);
  });

  const stop = stopRequested();
  try {
    const tracing = await startTracing(name, config, log);
    const opening = open({ config, log });
    const role = await Promise.race([opening, stop]);
    if (typeof role === 'object') {
      log.info('ready');
      // Only a supervisor listens; one that has died in this moment is heard of by 'disconnect'.
      process.send?.('ready', () => undefined);
      await Promise.race([stop, role.failed ?? stop]);
      log.info('stopping');
      await within(closeDeadlineSeconds, role.close());
    }
    await tracing.close();
    log.info('stopped');
    exit(0);
  } catch (error) {
    if (error instanceof DependencyError) log.fatal({ cause: String(error.cause) }, error.message);
    else if (error instanceof ConfigError) log.fatal(error.message);
    else log.fatal({ err: error }, 'cannot go on');
    exit(1);
  }
}

function settingsOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

/** @returns what asked the process to stop */
function stopRequested(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal));
    process.on('disconnect', () => resolve('disconnect'));
  });
}

async function within(seconds: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not closed within ${seconds} s`)), seconds * 1_000);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const lastLinesSeconds = 3;

type LogStream = EventEmitter & Record<'write' | 'end' | 'flushSync', () => void>;

/**
 * Lets the log's last lines out before the process exits, without waiting for a reader: the supervisor who read them may
 * be dead. This takes the place of pino's own way, at a fatal line and when the process exits, which tries for ever to
 * write where nobody reads.
 *
 * @returns exits with the code it is given
 */
function exitAfterLastLines(log: Logger): (code: number) => void {
  const stream = (log as unknown as { [pino.symbols.streamSym]: LogStream })[pino.symbols.streamSym];
  stream.flushSync = () => undefined;
  const nothingPending = new Promise<void>((resolve) => {
    stream.once('close', resolve);
    // Lines that nobody reads any more are dropped. Any other error, of a full disk perhaps, is no reason to stop.
    stream.on('error', ({ code }: NodeJS.ErrnoException) => code === 'EPIPE' && resolve());
  });
  return (code) => {
    process.exitCode = code;
    void nothingPending.then(() => process.exit(code));
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), lastLinesSeconds * 1_000);
    stream.end();
    // What is still open may log until the process is gone; to an ended stream that would throw.
    stream.write = () => undefined;
  };
}
