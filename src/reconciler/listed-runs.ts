import type { Client } from '@temporalio/client';

import { callIdOfWorkflow, workflowId } from '../call/names';
import { placeCallWorkflow } from '../call/workflow-messages';
import type { Logger } from '../log';
import type { QueuedRun } from '../store/orphans';

/** A query names each. */
const namedAtOnce = 100;
/** What the embedded server answers at once nobody else is served beside. */
const pageSize = 200;
/** Those that a query names began within so long. */
const togetherMilliseconds = 600_000;
/** A run may have begun so long before the moment in its id, or after: it is made right before. */
const byItsId = { before: 2_000, after: 2_000 };
/** And so long before its attempt was queued; after, where PostgreSQL's clock is behind. */
const byItsAttempt = { before: 60_000, after: 10_000 };

/** The workflows that Temporal lists, page by page, as they are asked for. @param query in the list's language */
export async function* listWorkflows(
  { workflowService, options }: Client,
  query: string,
): AsyncGenerator<{ workflowId: string; runId: string }> {
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    // By itself: the client's own list decodes the memo and the search attributes of each, which takes longer than the rest.
    const page = await workflowService.listWorkflowExecutions({
      namespace: options.namespace,
      query,
      pageSize,
      nextPageToken,
    });
    for (const { execution } of page.executions) {
      yield { workflowId: execution?.workflowId ?? '', runId: execution?.runId ?? '' };
    }
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
}

/** The runs of calls among them. @param condition in the list's language */
export async function* listRuns(
  temporal: Client,
  condition: string,
): AsyncGenerator<Pick<QueuedRun, 'callId' | 'runId'>> {
  const query = `WorkflowType = '${placeCallWorkflow}' AND ${condition}`;
  for await (const { workflowId: id, runId } of listWorkflows(temporal, query)) {
    const callId = callIdOfWorkflow(id);
    if (callId !== undefined) yield { callId, runId };
  }
}

/**
 * Which calls are carried on by the run that the record names, as far as Temporal's list tells: a request for a hundred
 * of them, where to be sure of one is a request for each. The list lags, so one that closed a moment ago may be among
 * them, and the next round finds it. What is not among them is to be looked at by itself.
 */
export async function listCarriedOn(
  { temporal, log }: { temporal: Client; log: Logger },
  recorded: readonly QueuedRun[],
): Promise<Set<string>> {
  const carriedOn = new Set<string>();
  try {
    for (const some of beganTogether(recorded)) {
      const runs = new Map(some.map(({ callId, runId }) => [callId, runId]));
      const ids = some.map(({ callId }) => `'${workflowId(callId)}'`).join(', ');
      const condition = `ExecutionStatus = 'Running' AND ${anyBegan(some)} AND WorkflowId IN (${ids})`;
      for await (const { callId, runId } of listRuns(temporal, condition)) {
        if (runs.get(callId) === runId) carriedOn.add(callId);
      }
    }
  } catch (error) {
    // Its list is a store of its own, and may be away alone: slots are not to wait for it.
    log.warn({ err: error }, "Temporal's list cannot be read: each call is looked at by itself");
  }
  return carriedOn;
}

/** A run, and between when and when it began, in ms since 1970. */
interface DatedRun extends QueuedRun {
  from: number;
  to: number;
}

/** By when a run began the embedded server finds it, and not by its id: it reads all that began in between. */
function* beganTogether(recorded: readonly QueuedRun[]): Generator<DatedRun[]> {
  let some: DatedRun[] = [];
  for (const run of recorded.map(dated).sort((one, other) => one.from - other.from)) {
    const [first] = some;
    if (first && (some.length === namedAtOnce || run.to - first.from > togetherMilliseconds)) {
      yield some;
      some = [];
    }
    some.push(run);
  }
  if (some.length > 0) yield some;
}

function anyBegan(some: readonly DatedRun[]): string {
  const iso = (milliseconds: number) => new Date(milliseconds).toISOString();
  const [from, to] = [Math.min(...some.map((run) => run.from)), Math.max(...some.map((run) => run.to))];
  return `ExecutionTime BETWEEN '${iso(from)}' AND '${iso(to)}'`;
}

/**
 * Under a flood minutes go by until a run's first step queues; but Temporal's run ids are UUIDs of version 7, which bear
 * the millisecond at which they were made (RFC 9562, 5.7). A retry's run is made when the one before it ends, and begins
 * after its backoff, right before it queues.
 */
function dated(run: QueuedRun): DatedRun {
  const made = run.runNumber === 1 ? /^([0-9a-f]{8})-([0-9a-f]{4})-7/.exec(run.runId) : null;
  const at = made === null ? Number(run.queuedAt) : parseInt(`${made[1]}${made[2]}`, 16);
  const { before, after } = made === null ? byItsAttempt : byItsId;
  return { ...run, from: at - before, to: at + after };
}
