import { randomUUID } from 'node:crypto';

import { Connection, isGrpcDeadlineError, type Client } from '@temporalio/client';

import { readConfig } from '../../src/config';
import { openTemporalClient } from '../../src/start/temporal';
import { createTestNamespace, type TestNamespace } from '../support/temporal';

let namespace: TestNamespace;
let client: Client;

beforeAll(async () => {
  namespace = await createTestNamespace();
  client = openTemporalClient({ ...readConfig(process.env), TEMPORAL_NAMESPACE: namespace.namespace });
});
afterAll(async () => {
  await client.connection.close();
  await namespace.close();
});

/** Node 20's own word for whether it runs a hook on each promise for the sake of that client. */
function hasHook({ connection }: Client): unknown {
  if (!(connection instanceof Connection)) throw new Error('another kind of connection');
  return Reflect.get(connection.callContextStorage, 'enabled');
}

test('requests to Temporal leave no hook on the promises of their process', async () => {
  await namespace.client.workflowService.getSystemInfo({});
  await namespace.client.withDeadline(Date.now() + 10_000, () => namespace.client.workflowService.getSystemInfo({}));
  expect(hasHook(namespace.client)).toBe(true);

  await client.workflow.start('placeCall', { workflowId: randomUUID(), taskQueue: 'of-nobody' });
  await client.withDeadline(Date.now() + 10_000, () => client.workflowService.getSystemInfo({}));
  expect(hasHook(client)).toBe(false);
});

test('a request to a service of the client ends by the deadline that it is made under', async () => {
  const ask = () => client.workflowService.getSystemInfo({});
  const why = await client.withDeadline(Date.now() - 1, ask).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(isGrpcDeadlineError(why)).toBe(true);
  await expect(ask()).resolves.toBeDefined();
});
