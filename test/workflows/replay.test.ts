import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Worker } from '@temporalio/worker';

const histories = join(__dirname, 'histories');
const names = readdirSync(histories).filter((name) => name.endsWith('.json'));

test('there are histories to replay', () => {
  expect(names.length).toBeGreaterThanOrEqual(8);
});

/** A change of the workflow that breaks this breaks calls in progress on the day it is deployed. */
test.each(names)('the workflow of today replays %s', async (name) => {
  const history: unknown = JSON.parse(readFileSync(join(histories, name), 'utf8'));
  await Worker.runReplayHistory(
    { workflowBundle: { codePath: join(__dirname, '../../dist/workflow-bundle.js') } },
    history,
  );
});
