import type { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { Client, Connection, type CallContext } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions, WorkerOptions } from '@temporalio/worker';

import type { Config } from '../config';
import { dataConverterOf } from '../encryption/data-converter';

/** All that talks to Temporal is made of what is here, so that nothing goes there past the payload codec. */

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
 * end: a connection closed while a request on it is being retried throws where nobody can catch it. A deadline given to it
 * holds for what is asked of a service of its at once, and not for what is asked after an `await`.
 */
export function openTemporalClient(
  config: Pick<Config, 'TEMPORAL_ADDRESS' | 'TEMPORAL_API_KEY' | 'TEMPORAL_NAMESPACE' | 'PAYLOAD_KEYS'>,
): Client {
  const connection = Connection.lazy(temporalConnectionOptions(config));
  keepContextsSynchronous(connection.callContextStorage);
  return new Client({ connection, namespace: config.TEMPORAL_NAMESPACE, dataConverter: dataConverterOf(config) });
}

/**
 * The client keeps what belongs to a request, as the namespace's header, in an AsyncLocalStorage while it makes it. From the
 * first one on Node 20 runs a hook for each promise of the process, and `POST /calls` takes a twentieth more of the
 * API (docs/decisions/0031-no-hook-on-each-promise.md). A request is made within one synchronous call, which needs no hook.
 */
function keepContextsSynchronous(contexts: AsyncLocalStorage<CallContext>): void {
  let current: CallContext | undefined;
  contexts.getStore = () => current;
  contexts.run = <Result, Arguments extends unknown[]>(
    context: CallContext,
    work: (...args: Arguments) => Result,
    ...args: Arguments
  ): Result => {
    const outer = current;
    current = context;
    try {
      return work(...args);
    } finally {
      current = outer;
    }
  };
}

/** Of the bundles that the build makes, with keys the one whose failures are for the codec. */
export function workflowBundleName({ PAYLOAD_KEYS }: Pick<Config, 'PAYLOAD_KEYS'>): string {
  return PAYLOAD_KEYS === undefined ? 'workflow-bundle.js' : 'workflow-bundle-encrypted.js';
}

/** What each worker is made with. Without a build, as in tests, the worker bundles the workflows itself. */
export function workerOptions(
  config: Pick<Config, 'TEMPORAL_NAMESPACE' | 'PAYLOAD_KEYS'>,
): Pick<WorkerOptions, 'namespace' | 'dataConverter' | 'workflowBundle' | 'workflowsPath'> {
  const codePath = join(__dirname, '../..', workflowBundleName(config));
  return {
    namespace: config.TEMPORAL_NAMESPACE,
    dataConverter: dataConverterOf(config),
    ...(existsSync(codePath) ? { workflowBundle: { codePath } } : { workflowsPath: require.resolve('../workflows') }),
  };
}
