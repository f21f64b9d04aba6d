import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';

import type { Config } from '../config';

/**
 * Where Temporal is and how to get in: TEMPORAL_ADDRESS, and Temporal's own standard variables for TLS and API keys
 * (TEMPORAL_TLS…, TEMPORAL_API_KEY). Its configuration files are left out: all settings here come from the environment.
 */
export function temporalConnectionOptions(
  config: Pick<Config, 'TEMPORAL_ADDRESS' | 'TEMPORAL_API_KEY'>,
): NativeConnectionOptions {
  const given = Object.entries({ ...process.env, TEMPORAL_API_KEY: config.TEMPORAL_API_KEY });
  // To the SDK an empty key is a key, and asks for TLS.
  const overrideEnvVars = Object.fromEntries(given.flatMap(([name, value]) => (value ? [[name, value]] : [])));
  const { connectionOptions } = loadClientConnectConfig({ disableFile: true, overrideEnvVars });
  return { ...connectionOptions, address: config.TEMPORAL_ADDRESS };
}

/**
 * A client that connects when first used, so that a process starts while Temporal is away. It is closed by the process's
 * end: a connection closed while a request on it is being retried throws where nobody can catch it.
 */
export function openTemporalClient(
  config: Pick<Config, 'TEMPORAL_ADDRESS' | 'TEMPORAL_API_KEY' | 'TEMPORAL_NAMESPACE'>,
): Client {
  const connection = Connection.lazy(temporalConnectionOptions(config));
  return new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
}
