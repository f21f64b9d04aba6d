import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

import { temporal } from '@temporalio/proto';

import { workflowId } from '../../src/call/names';
import { isFinal } from '../../src/call/transitions';
import { countSlots } from '../../src/store/attempts';
import { listStrayLines } from '../../src/store/orphans';
import { Chance } from '../support/chance';
import { Carrier } from '../support/carrier';
import { Lines } from '../support/lines';
import { waitUntil } from '../support/wait-until';

/** Operators who do anything to any workflow, at random, while calls go on and the reconciler makes its rounds. */
const { ResetReapplyExcludeType } = temporal.api.enums.v1;

const limit = 3;
const calls = 30;
const deedsDone = 80;

let carrier: Carrier;
let lines: Lines;

beforeEach(async () => {
  carrier = await Carrier.open({
    MAX_CONCURRENT_CALLS: String(limit),
    MAX_CALL_SECONDS: '60',
    RETRY_INITIAL_SECONDS: '0.2',
  });
  lines = new Lines(carrier, new Chance(seed, 'lines'));
  await carrier.startWorker();
});
afterEach(() => carrier.close());

const seed = Number(process.env['OPERATORS_SEED'] ?? Date.now() % 1_000_000);
const chance = new Chance(seed, 'operators');

async function reset(callId: string): Promise<void> {
  const handle = carrier.workflow(callId);
  const [{ runId }, { events }] = [await handle.describe(), await handle.fetchHistory()];
  const tasks = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
  if (tasks.length === 0) return;
  const task = chance.next() < 0.5 ? tasks[0] : chance.pick(tasks);
  await carrier.namespace.client.workflowService.resetWorkflowExecution({
    namespace: carrier.namespace.namespace,
    workflowExecution: { workflowId: workflowId(callId), runId },
    workflowTaskFinishEventId: task?.eventId ?? null,
    requestId: randomUUID(),
    reason: 'by the test',
    ...(chance.next() < 0.3 && {
      resetReapplyExcludeTypes: [ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL],
    }),
  });
}

const deeds = {
  terminate: (callId: string) => carrier.workflow(callId).terminate('by the test'),
  cancel: (callId: string) => carrier.workflow(callId).cancel(),
  signal: (callId: string) => carrier.workflow(callId).signal('slotGranted', { attemptId: callId, slot: 1 }),
  reset,
};

/** The reconciler's rounds, one after the other, while the work goes on, however it ends. */
async function amidRounds(work: () => Promise<void>): Promise<void> {
  const done = new AbortController();
  const rounds = (async () => {
    while (!done.signal.aborted) {
      await carrier.round();
      await pause(100);
    }
  })();
  try {
    await work();
  } finally {
    done.abort();
    await rounds;
  }
}

test(`never more lines than slots, none twice to a number, and all at rest in the end (OPERATORS_SEED=${seed})`, async () => {
  const ids: string[] = [];
  await amidRounds(async () => {
    for (let one = 0; one < calls; one++) ids.push(await carrier.place());
    for (let one = 0; one < deedsDone; one++) {
      const deed = deeds[chance.weighted({ terminate: 25, cancel: 15, signal: 10, reset: 50 })];
      // What Temporal refuses, as for a workflow that is closed, is refused.
      await deed(chance.pick(ids)).catch(() => undefined);
      await pause(chance.between(0, 150));
    }
    const unfinished = async () => {
      const found = await Promise.all(ids.map((id) => carrier.call(id)));
      return found.filter(({ status }) => !isFinal(status));
    };
    await waitUntil('every call final', async () => (await unfinished()).length === 0, 100).catch(
      async (cause: unknown) => {
        const stories = await Promise.all((await unfinished()).map(({ id }) => carrier.story(id)));
        throw new Error(`calls that came to no end: ${JSON.stringify(stories)}`, { cause });
      },
    );
    await waitUntil('no line live', () => lines.live.size === 0, 60);
    await waitUntil(
      'all given back',
      async () => {
        const { held, waiting } = await countSlots(carrier.db);
        return held + waiting + (await carrier.slotsHeld()) + (await listStrayLines(carrier.db)).length === 0;
      },
      60,
    );
  });
  expect(lines.wrongs).toEqual([]);
}, 300_000);
