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

  const stop = stopRequested();
  try {
    const tracing = await startTracing(name, config, log);
    const opening = open({ config, log });
    const role = await Promise.race([opening, stop]);
    if (typeof role === 'object') {
      log.info('ready');
      // Only a supervisor listens.
      process.send?.('ready');
      await Promise.race([stop, role.failed ?? stop]);
      log.info('stopping');
      await within(closeDeadlineSeconds, role.close());
    }
    await tracing.close();
    log.info('stopped');
    exit(log, 0);
  } catch (error) {
    if (error instanceof DependencyError) log.fatal({ cause: String(error.cause) }, error.message);
    else if (error instanceof ConfigError) log.fatal(error.message);
    else log.fatal({ err: error }, 'cannot go on');
    exit(log, 1);
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

/**
 * Lets the log's last lines out first, without waiting for a reader: the supervisor who read them may be dead. To exit
 * while lines are pending would be wrong either way: pino writes them in its exit handler, and where the pipe is broken it
 * tries that for ever.
 */
function exit(log: Logger, code: number): void {
  process.exitCode = code;
  const stream = (log as unknown as Record<symbol, EventEmitter & { end: () => void }>)[pino.symbols.streamSym];
  for (const event of ['close', 'error']) stream?.once(event, () => process.exit(code));
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), lastLinesSeconds * 1_000);
  stream?.end();
}
