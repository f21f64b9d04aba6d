import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';

import { workflowId } from '../../src/call/names';
import { limitOf, ours, type Book, type Measure } from '../book';
import type { Figure } from '../figure';
import { footprintOf, footprintTold } from '../footprint';
import type { BareInput, BareResult } from '../limits/bare-orchestration';
import { Service } from '../service';
import { median } from '../spread';
import { query, watchBacking, type Stage } from '../stage';
import { runLoad, watchCores } from '../systems';

const figure = 'orchestration';
const slots = 30;
const sampledCalls = 40;

const rate: Measure = {
  figure,
  what: 'calls of zero duration, POST to final',
  unit: 'a second',
  better: 'more',
  targetOfLimit: 0.8,
};
const eventsEach: Measure = {
  figure,
  what: 'history events an attempt',
  unit: '',
  better: 'less',
  target: 16,
};
const actionsEach: Measure = { figure, what: 'billable Temporal actions a call', unit: '', better: 'less' };
const serverEach: Measure = { figure, what: 'CPU of the Temporal server, a call', unit: 'ms', better: 'less' };
const bare = limitOf('a workflow of this shape without a store');

/** What it costs to carry a call, apart from the call itself. */
export const orchestration: Figure = {
  name: figure,
  about: `calls of zero duration, ${slots} slots, from the first POST to the last final status`,
  round: async (stage, book, round) => {
    const calls = stage.quick ? 100 : 2_000;
    await carryOurs(stage, book, round, calls);
    const input: BareInput = { address: stage.backing.environment['TEMPORAL_ADDRESS'] ?? '', calls, slots };
    const plan = { name: 'bare-orchestration', script: 'bench/limits/bare-orchestration.js' };
    const server = watchBacking(stage, 'temporal');
    const { perSecond } = await stage.children.run<BareResult>(plan, input);
    book.add(rate, bare, perSecond);
    book.add(serverEach, bare, (server() * 1_000) / calls);
  },
};

async function carryOurs(stage: Stage, book: Book, round: number, count: number): Promise<void> {
  const service = await Service.open(stage, { MAX_CONCURRENT_CALLS: String(slots) });
  try {
    await service.start('api', 'worker', 'bridge');
    const before = await footprintOf(stage, service.databaseUrl);
    const taken = watchCores(stage, service.pids);
    const server = watchBacking(stage, 'temporal');
    const calls = { seconds: { min: 0, max: 0 }, firstNumber: 0 };
    await runLoad(stage, { origins: service.urls, connections: 16, send: { calls }, count });
    await service.until(`${count} calls final`, ({ COMPLETED }) => COMPLETED >= count);
    book.note(figure, round, ours, taken());
    book.add(serverEach, ours, (server() * 1_000) / count);
    const [took] = await query<{ seconds: number }>(
      service.databaseUrl,
      'select extract(epoch from max(ended_at) - min(created_at))::float as seconds from calls',
    );
    book.add(rate, ours, count / (took?.seconds ?? NaN));
    await service.withTemporal((client) => countEvents(client, service, book, round));
    await service.untilAllIsTold();
    const after = await footprintOf(stage, service.databaseUrl);
    book.note(figure, round, ours, `a call leaves ${footprintTold(before, after, count)}`);
  } finally {
    await service.close();
  }
}

async function countEvents(client: Client, service: Service, book: Book, round: number): Promise<void> {
  const rows = await query<{ id: string }>(
    service.databaseUrl,
    `select id from calls where attempts = 1 order by random() limit ${sampledCalls}`,
  );
  const handles = rows.map(({ id }) => client.workflow.getHandle(workflowId(id)));
  const histories = await Promise.all(handles.map((handle) => handle.fetchHistory()));
  const sizes = await Promise.all(handles.map(async (handle) => (await handle.describe()).historySize ?? NaN));
  const events = histories.map(({ events: all }) => all?.length ?? 0);
  book.add(eventsEach, ours, Math.max(...events));
  book.add(actionsEach, ours, median(histories.map((history) => actionsOf(history))));
  book.note(
    figure,
    round,
    ours,
    `history: ${median(events)} events and ${median(sizes)} bytes in the middle; ${typesOf(histories[0])}`,
  );
}

const { EventType } = temporal.api.enums.v1;

/** As Temporal Cloud bills them: local activities by the workflow task that they ran in, which each leaves a marker in. */
const billable: readonly number[] = [
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
  EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
  EventType.EVENT_TYPE_TIMER_STARTED,
  EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
];

function actionsOf({ events }: temporal.api.history.v1.IHistory): number {
  const markers = (events ?? []).flatMap(({ markerRecordedEventAttributes: marker }) => marker ?? []);
  const tasks = new Set(markers.map((marker) => String(marker.workflowTaskCompletedEventId)));
  return (events ?? []).filter(({ eventType }) => billable.includes(eventType ?? 0)).length + tasks.size;
}

/** `WORKFLOW_EXECUTION_STARTED, WORKFLOW_TASK_SCHEDULED, …` */
function typesOf(history: temporal.api.history.v1.IHistory | undefined): string {
  const types = (history?.events ?? []).map(({ eventType }) =>
    (EventType[eventType ?? 0] ?? '').replace('EVENT_TYPE_', ''),
  );
  return types.join(', ');
}
