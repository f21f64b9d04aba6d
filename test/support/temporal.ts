import { randomBytes } from 'node:crypto';

import { Client, Connection } from '@temporalio/client';

import { readConfig } from '../../src/config';
import { dataConverterOf } from '../../src/encryption/data-converter';
import { registerNamespace } from '../../src/start/register-namespace';

export interface TestNamespace {
  namespace: string;
  client: Client;
  close: () => Promise<void>;
}

/**
 * A namespace of its own, fresh, with the search attributes, on the server that TEMPORAL_ADDRESS names.
 *
 * @param settings of the test, over those of the test run: the server, and the keys by which the client reads
 */
export async function createTestNamespace(settings: Record<string, string> = {}): Promise<TestNamespace> {
  const config = readConfig({ ...process.env, ...settings });
  const connection = await Connection.connect({ address: config.TEMPORAL_ADDRESS });
  const namespace = `test-${randomBytes(8).toString('hex')}`;
  await registerNamespace(connection, namespace);
  const client = new Client({ connection, namespace, dataConverter: dataConverterOf(config) });
  return { namespace, client, close: () => connection.close() };
}
