import { randomBytes } from 'node:crypto';

import { Client, Connection } from '@temporalio/client';

import { readConfig } from '../../src/config';
import { registerNamespace } from '../../src/start/register-namespace';

export interface TestNamespace {
  namespace: string;
  client: Client;
  close: () => Promise<void>;
}

/** A namespace of its own, fresh, with the search attributes, on the server that TEMPORAL_ADDRESS names. */
export async function createTestNamespace(address = readConfig(process.env).TEMPORAL_ADDRESS): Promise<TestNamespace> {
  const connection = await Connection.connect({ address });
  const namespace = `test-${randomBytes(8).toString('hex')}`;
  await registerNamespace(connection, namespace);
  return { namespace, client: new Client({ connection, namespace }), close: () => connection.close() };
}
