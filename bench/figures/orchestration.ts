import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';

import { workflowId } from '../../src/call/names';
import { limitOf, ours, type Book, type Measure } from '../book';
import type { Figure } from '../figure';
import { footprintOf, footprintTold } from '../footprint';
import type { BareInput, BareResult } from '../limits/bare-orchestration';
import { Service } from '../service';
import { median } from '../spread';
import { query, watchBacking, withTemporal, type Stage } from '../stage';
import { runLoad, watchCores } from '../systems';

const figure = 'orchestration';
const slots = 30;
/** In the first half minute V8 has yet to compile what it runs, and ours is more to compile than the bare one. */
const warmUpCalls = 1_000;
const sampledCalls = 40;

const rate: Measure = {
  figure,
  what: 'calls of zero duration, POST to final',
  unit: 'a second',
  better: 'more',
  targetOfLimit: 0.8,
};
const eventsMiddle: Measure = {
  figure,
  what: 'history events an attempt, in the middle',
  unit: '',
  better: 'less',
  target: 16,
};
const eventsMost: Measure = {
  figure,
  what: 'history events an attempt, at most',
  unit: '',
  better: 'less',
  target: 16,
  // The limit is four fifths of what may be, where less is better.
  targetOfLimit: 1 / 0.8,
};
const actionsEach: Measure = { figure, what: 'billable Temporal actions a call', unit: '', better: 'less' };
const serverEach: Measure = { figure, what: 'CPU of the Temporal server, a call', unit: 'ms', better: 'less' };
const bare = limitOf('a workflow of this shape without a store');

/** What it costs to carry a call, apart from the call itself. */
export const orchestration: Figure = {
  name: figure,
  about: `calls of zero duration, ${slots} slots, from the first POST to the last final status`,
  round: async (stage, book, round) => {
    const plan = { calls: stage.quick ? 100 : 2_000, warmUpCalls: stage.quick ? 20 : warmUpCalls };
    const inOrder = [() => carryOurs(stage, book, round, plan), () => carryBare(stage, book, plan)];
    // By turns: who comes second finds the server's store fuller, which costs it a tenth.
    if (round % 2 === 0) inOrder.reverse();
    for (const carry of inOrder) await carry();
  },
};

interface Plan {
  calls: number;
  warmUpCalls: number;
}

async function carryOurs(stage: Stage, book: Book, round: number, plan: Plan): Promise<void> {
  const service = await Service.open(stage, { MAX_CONCURRENT_CALLS: String(slots) });
  try {
    await service.start('api', 'worker', 'bridge');
    await carryAll(stage, service, { count: plan.warmUpCalls, before: 0 });
    const before = await footprintOf(stage, service.databaseUrl);
    const taken = watchCores(stage, service.pids);
    const server = watchBacking(stage, 'temporal');
    await carryAll(stage, service, { count: plan.calls, before: plan.warmUpCalls });
    book.note(figure, round, ours, taken());
    book.add(serverEach, ours, (server() * 1_000) / plan.calls);
    const [took] = await query<{ seconds: number }>(
      service.databaseUrl,
      `select extract(epoch from max(ended_at) - min(created_at))::float as seconds
         from (select * from calls order by seq offset ${plan.warmUpCalls}) as measured`,
    );
    book.add(rate, ours, plan.calls / (took?.seconds ?? NaN));
    await service.withTemporal((client) => countEvents(client, service, book, round));
    await service.untilAllIsTold();
    const after = await footprintOf(stage, service.databaseUrl);
    book.note(figure, round, ours, `a call leaves ${footprintTold(before, after, plan.calls)}`);
  } finally {
    await service.close();
  }
}

async function carryAll(
  stage: Stage,
  service: Service,
  { count, before }: { count: number; before: number },
): Promise<void> {
  const calls = { seconds: { min: 0, max: 0 }, firstNumber: before };
  await runLoad(stage, { origins: service.urls, connections: 16, send: { calls }, count });
  await service.until(`${before + count} calls final`, ({ COMPLETED }) => COMPLETED >= before + count);
}

async function carryBare(stage: Stage, book: Book, plan: Plan): Promise<void> {
  const address = stage.backing.environment['TEMPORAL_ADDRESS'] ?? '';
  const input: BareInput = { ...plan, address, slots, sampled: sampledCalls };
  const server = watchBacking(stage, 'temporal');
  const program = { name: 'bare-orchestration', script: 'bench/limits/bare-orchestration.js' };
  const { perSecond, workflowIds, aloneId } = await stage.children.run<BareResult>(program, input);
  book.add(serverEach, bare, (server() * 1_000) / (plan.calls + plan.warmUpCalls));
  book.add(rate, bare, perSecond);
  const histories = await withTemporal(stage, 'default', (client) => historiesOf(client, [aloneId, ...workflowIds]));
  const [alone = NaN, ...sizes] = histories.map(sizeOf);
  book.add(eventsMiddle, bare, median(sizes));
  book.add(eventsMost, bare, Math.max(alone, ...sizes));
}

async function countEvents(client: Client, service: Service, book: Book, round: number): Promise<void> {
  const rows = await query<{ id: string }>(
    service.databaseUrl,
    `select id from calls where attempts = 1 order by random() limit ${sampledCalls}`,
  );
  const workflowIds = rows.map(({ id }) => workflowId(id));
  const histories = await historiesOf(client, workflowIds);
  const described = await Promise.all(workflowIds.map((id) => client.workflow.getHandle(id).describe()));
  const events = histories.map(sizeOf);
  book.add(eventsMiddle, ours, median(events));
  const most = Math.max(...events);
  book.add(eventsMost, ours, most);
  book.add(actionsEach, ours, median(histories.map(actionsOf)));
  const bytes = median(described.map(({ historySize }) => historySize ?? NaN));
  const longest = histories[events.indexOf(most)];
  book.note(figure, round, ours, `history: ${bytes} bytes in the middle; ${typesOf(histories[0])}`);
  book.note(figure, round, ours, `the longest: ${typesOf(longest)}`);
}

type History = temporal.api.history.v1.IHistory;

function historiesOf(client: Client, workflowIds: readonly string[]): Promise<History[]> {
  return Promise.all(workflowIds.map((id) => client.workflow.getHandle(id).fetchHistory()));
}

const sizeOf = ({ events }: History): number => events?.length ?? 0;

const { EventType } = temporal.api.enums.v1;

/** As Temporal Cloud bills them: local activities by the workflow task that they ran in, which each leaves a marker in. */
const billable: readonly number[] = [
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
  EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
  EventType.EVENT_TYPE_TIMER_STARTED,
  EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
];

function actionsOf({ events }: History): number {
  const markers = (events ?? []).flatMap(({ markerRecordedEventAttributes: marker }) => marker ?? []);
  const tasks = new Set(markers.map((marker) => String(marker.workflowTaskCompletedEventId)));
  return (events ?? []).filter(({ eventType }) => billable.includes(eventType ?? 0)).length + tasks.size;
}

/** `WORKFLOW_EXECUTION_STARTED, WORKFLOW_TASK_SCHEDULED, …` */
function typesOf(history: History | undefined): string {
  const types = (history?.events ?? []).map(({ eventType }) =>
    (EventType[eventType ?? 0] ?? '').replace('EVENT_TYPE_', ''),
  );
  return types.join(', ');
}
