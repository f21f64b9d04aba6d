import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Worker } from '@temporalio/worker';

import { dataConverterOf } from '../../src/encryption/data-converter';
import type { PayloadKey } from '../../src/encryption/payload-keys';
import { workflowBundleName } from '../../src/start/temporal';
import { runSinks } from '../../src/start/traced-worker';
import { encryptHistory } from './encrypted-history';

const histories = join(__dirname, 'histories');
const names = readdirSync(histories).filter((name) => name.endsWith('.json'));
const recorded = (name: string): unknown => JSON.parse(readFileSync(join(histories, name), 'utf8'));

const inputIn = (history: unknown) =>
  /"input":\{"payloads":\[.*?"data":"(.+?)"/.exec(JSON.stringify(history))?.[1] ?? '';

const key: PayloadKey = { id: 'recorded', key: randomBytes(32) };
const later: PayloadKey = { id: 'later', key: randomBytes(32) };

/** @param keys of the worker that replays it */
function replay(history: unknown, ...keys: PayloadKey[]): Promise<void> {
  const config = { PAYLOAD_KEYS: keys.length === 0 ? undefined : keys };
  return Worker.runReplayHistory(
    {
      workflowBundle: { codePath: join(__dirname, '../../dist', workflowBundleName(config)) },
      dataConverter: dataConverterOf(config),
      sinks: runSinks,
    },
    history,
  );
}

test('there are histories to replay', () => {
  expect(names.length).toBeGreaterThanOrEqual(8);
});

test.each([
  ['completed.json', ['PENDING', 'IN_PROGRESS', 'COMPLETED']],
  ['reported-before-the-answer.json', ['PENDING', 'COMPLETED']],
  ['refused.json', ['PENDING', 'FAILED']],
])('the list shows a call as IN_PROGRESS once it is on the line, not one that has ended by then: %s', (name, shown) => {
  const values = JSON.stringify(recorded(name)).matchAll(/"CallStatus":\{.*?"data":"(.+?)"/g);
  const statuses = [...values].map(([, data = '']) => JSON.parse(Buffer.from(data, 'base64').toString()) as string);
  expect(statuses).toEqual(shown);
});

/** A change of the workflow that breaks this breaks calls in progress on the day it is deployed. */
test.each(names)('the workflow of today replays %s', (name) => replay(recorded(name)));

test.each(names)('%s, begun before there were keys, is replayed by a worker that has some', (name) =>
  replay(recorded(name), key),
);

test.each(names)('%s, encrypted, is replayed, also once its key has been followed by another', async (name) => {
  const history = await encryptHistory(recorded(name), key);
  expect(inputIn(recorded(name))).not.toBe('');
  expect(JSON.stringify(history)).not.toContain(inputIn(recorded(name)));
  await replay(history, key);
  await replay(history, later, key);
});

test('an encrypted history is not replayed without its key', async () => {
  const history = await encryptHistory(recorded('completed.json'), key);
  await expect(replay(history)).rejects.toThrow(/encrypted with key .*recorded.*, not in PAYLOAD_KEYS/);
  // A worker with keys tells why in its log; in the history its words are encrypted, as all are.
  await expect(replay(history, later)).rejects.toThrow('Encoded failure');
});
