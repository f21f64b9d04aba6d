import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';

import type { Config } from '../config';

export interface TemporalClient {
  client: Client;
  close: () => Promise<void>;
}

/**
 * Where Temporal is and how to get in: TEMPORAL_ADDRESS, and Temporal's own standard variables for TLS and API keys
 * (TEMPORAL_TLS…, TEMPORAL_API_KEY). Its configuration files are left out: all settings here come from the environment.
 */
export function temporalConnectionOptions(config: Pick<Config, 'TEMPORAL_ADDRESS'>): NativeConnectionOptions {
  return { ...loadClientConnectConfig({ disableFile: true }).connectionOptions, address: config.TEMPORAL_ADDRESS };
}

/** A client that connects when first used, so that a process starts while Temporal is away. */
export function openTemporalClient(config: Pick<Config, 'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE'>): TemporalClient {
  const connection = Connection.lazy(temporalConnectionOptions(config));
  return {
    client: new Client({ connection, namespace: config.TEMPORAL_NAMESPACE }),
    close: () => connection.close(),
  };
}
