import { readFileSync } from 'node:fs';

import { CallsClient } from '../client';
import { UsageError, type ExitCode } from './exit-codes';
import type { Terminal } from './terminal';

/** What every command works with. */
export interface Session {
  terminal: Terminal;
  env: NodeJS.ProcessEnv;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** Of a command that came to its end; one that fails exits as its error says. */
  exitCode: ExitCode;
}

export interface ConnectOptions {
  url?: string | undefined;
}

const defaultUrl = 'http://127.0.0.1:3000';

/** @throws UsageError for settings that cannot be meant */
export function connect({ env }: Session, { url }: ConnectOptions): CallsClient {
  try {
    return new CallsClient({ baseUrl: url ?? setting(env, 'CALLS_URL') ?? defaultUrl, apiKey: apiKeyIn(env) });
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message.replace('baseUrl', '--url or CALLS_URL'));
    throw error;
  }
}

/** Empty counts as not set, as it does for the service. */
function setting(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name];
}

/** Never from an argument: those are shown to everybody on the machine. */
function apiKeyIn(env: NodeJS.ProcessEnv): string | undefined {
  const key = setting(env, 'CALLS_API_KEY');
  const file = setting(env, 'CALLS_API_KEY_FILE');
  if (key !== undefined && file !== undefined)
    throw new UsageError('CALLS_API_KEY and CALLS_API_KEY_FILE are both set: which one counts?');
  if (file === undefined) return key;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new UsageError(
      `CALLS_API_KEY_FILE cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
