import type { Client } from '@temporalio/client';

import { cancelCall, retryCall } from '../../src/intake/change-call';
import { Starter } from '../../src/intake/starter';
import { createLog } from '../../src/log';
import { Carrier } from '../support/carrier';

let carrier: Carrier;
beforeAll(async () => {
  carrier = await Carrier.open({ MAX_CONCURRENT_CALLS: '1' });
  await carrier.startWorker();
});
afterAll(() => carrier.close());

/** A client that, right after it was told of a workflow, has something else happen first. */
function slowClient(client: Client, meanwhile: () => Promise<void>): Client {
  const workflow = new Proxy(client.workflow, {
    get: (target, name) => {
      if (name !== 'getHandle') return Reflect.get(target, name) as unknown;
      return (...args: Parameters<typeof target.getHandle>) => {
        const handle = target.getHandle(...args);
        const describe = handle.describe.bind(handle);
        return Object.assign(handle, {
          describe: async () => {
            const described = await describe();
            await meanwhile();
            return described;
          },
        });
      };
    },
  });
  return Object.assign(Object.create(client) as Client, { workflow });
}

async function cancelRequested(callId: string): Promise<boolean> {
  const { raw } = await carrier.workflow(callId).describe();
  return raw.workflowExtendedInfo?.cancelRequested === true;
}

async function roundOf(callId: string): Promise<unknown> {
  return (await carrier.workflow(callId).describe()).memo?.['round'];
}

test('who finds an earlier round still running cancels that one, never the round that was started meanwhile', async () => {
  await carrier.attemptOnTheLine(await carrier.place());
  const callId = await carrier.place();
  await carrier.untilWaiting(callId);
  await cancelCall(carrier.db, callId);
  const retried = await retryCall(carrier.db, callId, carrier.config);
  const temporal = slowClient(carrier.namespace.client, async () => {
    if ((await roundOf(callId)) !== 1) return;
    await carrier.workflow(callId).terminate('ended meanwhile');
    await carrier.starter.handOff(retried);
  });
  const late = new Starter({ db: carrier.db, temporal, policy: carrier.config, log: createLog('test', 'silent') });

  expect(await late.handOff(retried)).toBe(false);
  expect(await roundOf(callId)).toBe(2);
  expect(await cancelRequested(callId)).toBe(false);

  // Nor does the order of a round that is over touch a later one.
  await carrier.starter.handOff({ ...retried, round: 1 });
  expect(await cancelRequested(callId)).toBe(false);
});
