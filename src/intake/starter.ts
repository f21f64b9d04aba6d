import { type Client, WorkflowExecutionAlreadyStartedError, type WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { Histogram } from 'prom-client';

import { searchAttributes, taskQueue, workflowId } from '../call/names';
import { maskNumber } from '../call/phone-number';
import { placeCallWorkflow, signalNames, type CallEdited, type PlaceCallInput } from '../call/workflow-messages';
import type { Config } from '../config';
import type { Logger } from '../log';
import { registry, secondsSince, waitBuckets } from '../metrics';
import { listRunIds } from '../store/attempts';
import type { Database } from '../store/database';
import {
  clearHandoffs,
  listHandoffs,
  readHandoffs,
  requireStart,
  startedLate,
  type DoneHandoff,
  type HandoffRow,
} from '../store/handoffs';
import { inCall, SpanKind } from '../tracing';
import { deleteHistories } from './delete-histories';
import { HandoffQueue } from './handoff-queue';
import { unlessNotFound } from './unless-not-found';

type StarterPolicy = Pick<
  Config,
  'RETRY_INITIAL_SECONDS' | 'RETRY_BACKOFF' | 'MAX_CALL_SECONDS' | 'PERSONAL_DATA_IN_KEYS'
>;

export interface StarterDeps {
  db: Database;
  temporal: Client;
  policy: StarterPolicy;
  log: Logger;
}

/** Few enough to keep about the order in which they were given; after a long outage there are thousands. */
const sweptAtOnce = 20;

const handoffSeconds = new Histogram({
  name: 'orchestrator_handoff_lag_seconds',
  help: 'From when a call was accepted, changed, canceled or forgotten until Temporal was told',
  buckets: waitBuckets,
  registers: [registry],
});

const editToldLate = { type: 'call.updated', reason: 'edit told late: its workflow had not heard of it' } as const;
const cancelToldLate = { type: 'call.updated', reason: 'cancel told late: its workflow had not heard of it' } as const;

/**
 * Tells Temporal what a call's row says it must be told: to start its workflow, that it was edited, that it was canceled,
 * to delete its histories.
 * The row keeps the order until it was carried out, so that a crash, or Temporal being away, delays it and no more.
 */
export class Starter {
  private readonly queue: HandoffQueue;

  constructor(private readonly deps: StarterDeps) {
    this.queue = new HandoffQueue({
      handOff: (row) => this.handOff(row),
      handOffTogether: (ids) => this.handOffTogether(ids),
      onFailure: (error, left) =>
        deps.log.warn({ err: error, callsLeft: left }, 'Temporal not told yet; the sweep will'),
    });
  }

  /** Right after the commit, without waiting, in their order; a failure is logged and left to the sweep. */
  handOffSoon(...rows: readonly HandoffRow[]): void {
    for (const row of rows) this.queue.add(row);
  }

  /**
   * Within how many seconds Temporal will have been told of a call accepted now, by the pace of late. Kept with the order,
   * so that the sweep leaves what merely waits here alone, and finds it in time should this process die.
   */
  get startsWithinSeconds(): number {
    return this.queue.secondsToEmpty;
  }

  private async handOffTogether(ids: readonly string[]): Promise<void> {
    const rows = await readHandoffs(this.deps.db, ids);
    const tried = await Promise.allSettled(rows.map((row) => this.carryOut(row, { late: false })));
    await this.clear(tried.flatMap((one) => (one.status === 'fulfilled' ? (one.value ?? []) : [])));
    const failed = tried.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /**
   * Hands off what earlier tries left behind, and tells so in the calls' timelines.
   *
   * @returns how many orders were carried out, and how many of them had kept something from happening
   */
  async sweep(options: { olderThanSeconds: number; limit: number }): Promise<{ carriedOut: number; mended: number }> {
    const rows = await listHandoffs(this.deps.db, options);
    let [carriedOut, mended] = [0, 0];
    for (let from = 0; from < rows.length; from += sweptAtOnce) {
      const tried = await Promise.all(rows.slice(from, from + sweptAtOnce).map((row) => this.tryLate(row)));
      const done = tried.filter((one) => one !== undefined);
      await this.clear(done);
      carriedOut += done.length;
      mended += done.filter(({ late }) => late !== undefined).length;
    }
    return { carriedOut, mended };
  }

  private async tryLate(row: HandoffRow): Promise<DoneHandoff | undefined> {
    try {
      return await this.carryOut(row, { late: true });
    } catch (error) {
      // One call's trouble must not keep the others waiting; its order stays in its row.
      this.deps.log.warn(
        { callId: row.id, handoff: row.handoff, err: error },
        'Temporal not told; the next sweep will',
      );
      return undefined;
    }
  }

  /** Safe at any time, any number of times. @returns whether the order was carried out */
  async handOff(row: HandoffRow): Promise<boolean> {
    const done = await this.carryOut(row, { late: false });
    if (done !== undefined) await this.clear([done]);
    return done !== undefined;
  }

  private async clear(done: readonly DoneHandoff[]): Promise<void> {
    await clearHandoffs(this.deps.db, done);
    for (const { row } of done) handoffSeconds.observe(secondsSince(givenAt(row)));
  }

  /** @returns undefined where the order stays to be carried out */
  private carryOut(row: HandoffRow, options: { late: boolean }): Promise<DoneHandoff | undefined> {
    const attributes = { 'call.handoff': row.handoff ?? '' };
    return inCall(row.id, 'tell Temporal', { kind: SpanKind.CLIENT, attributes }, () => this.tell(row, options));
  }

  private async tell(row: HandoffRow, { late }: { late: boolean }): Promise<DoneHandoff | undefined> {
    const { db } = this.deps;
    switch (row.handoff) {
      case 'START': {
        if (row.status !== 'PENDING') return { row };
        const started = await this.start(row, late);
        if (started === 'NOT_YET') return undefined;
        return started === 'LATE' ? { row, late: startedLate } : { row };
      }
      case 'EDITED':
        if (row.status !== 'PENDING') return { row };
        if (!(await this.tellEdited(row))) {
          await requireStart(db, row);
          return undefined;
        }
        return late ? { row, late: editToldLate } : { row };
      case 'CANCEL': {
        const told = await this.cancel(row, late);
        // The reconciler's own order, of a call that it found expired: told with that.
        return told && row.status === 'CANCELED' ? { row, late: cancelToldLate } : { row };
      }
      case 'FORGET': {
        const runIds = await listRunIds(db, row.id);
        return (await deleteHistories(this.deps.temporal, row.id, runIds)) ? { row } : undefined;
      }
      case null:
        return undefined;
    }
  }

  /** @returns NOT_YET while the workflow of an earlier round is still ending; LATE where the reconciler started it */
  private async start(row: HandoffRow, late: boolean): Promise<'STARTED' | 'LATE' | 'NOT_YET'> {
    const { temporal, policy } = this.deps;
    const input: PlaceCallInput = {
      callId: row.id,
      round: row.round,
      title: titleOf(row, policy),
      expiresAt: row.expires_at.toISOString(),
      maxCallSeconds: policy.MAX_CALL_SECONDS,
      ...(late && { startedLate: true }),
    };
    try {
      await temporal.workflow.start(placeCallWorkflow, {
        workflowId: workflowId(row.id),
        taskQueue,
        args: [input],
        retry: {
          maximumAttempts: row.max_attempts,
          initialInterval: policy.RETRY_INITIAL_SECONDS * 1_000,
          backoffCoefficient: policy.RETRY_BACKOFF,
        },
        // A first round happens once, even where its row was lost sight of; a retried call starts under the same id.
        workflowIdReusePolicy: row.round === 1 ? 'REJECT_DUPLICATE' : 'ALLOW_DUPLICATE',
        staticSummary: input.title,
        memo: { round: row.round, startedLate: late },
        typedSearchAttributes: new TypedSearchAttributes([
          { key: defineSearchAttributeKey(searchAttributes.status, SearchAttributeType.KEYWORD), value: 'PENDING' },
          {
            key: defineSearchAttributeKey(searchAttributes.scriptId, SearchAttributeType.KEYWORD),
            value: row.script_id,
          },
          { key: defineSearchAttributeKey(searchAttributes.attempt, SearchAttributeType.INT), value: 1 },
        ]),
      });
      return late ? 'LATE' : 'STARTED';
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      const { memo, raw } = await temporal.workflow.getHandle(workflowId(row.id)).describe();
      const round = Number(memo?.['round']);
      if (round === row.round) return memo?.['startedLate'] === true ? 'LATE' : 'STARTED';
      // The cancel that ended the earlier round may have been lost; without it that run might wait for long. Of that
      // round alone: by now others may have started this one, or a later one, under the same id.
      if (round < row.round) {
        const firstExecutionRunId = raw.workflowExecutionInfo?.firstRunId ?? '';
        const earlier = temporal.workflow.getHandle(workflowId(row.id), undefined, { firstExecutionRunId });
        await unlessNotFound(() => earlier.cancel());
      }
      return 'NOT_YET';
    }
  }

  /** @returns false where there is no workflow to tell */
  private async tellEdited(row: HandoffRow): Promise<boolean> {
    const edited: CallEdited = {
      title: titleOf(row, this.deps.policy),
      scriptId: row.script_id,
      expiresAt: row.expires_at.toISOString(),
    };
    const told = await unlessNotFound(async () => {
      await this.deps.temporal.workflow.getHandle(workflowId(row.id)).signal(signalNames.callEdited, edited);
      return true;
    });
    return told ?? false;
  }

  /** Cancels the workflow of the row's round, never that of a later one. @returns whether the reconciler had to do it */
  private async cancel(row: HandoffRow, late: boolean): Promise<boolean> {
    const { workflow } = this.deps.temporal;
    const hadTo = await unlessNotFound(async () => {
      const handle = workflow.getHandle(workflowId(row.id));
      const { status, memo, raw } = await handle.describe();
      if (status.name !== 'RUNNING' || memo?.['round'] !== row.round) return false;
      // By another sweep, or by one that died before it could say so.
      if (raw.workflowExtendedInfo?.cancelRequested) return late && (await wasCanceledLate(handle));
      await workflow.workflowService.requestCancelWorkflowExecution({
        namespace: workflow.options.namespace,
        identity: workflow.options.identity,
        workflowExecution: { workflowId: handle.workflowId },
        firstExecutionRunId: raw.workflowExecutionInfo?.firstRunId ?? '',
        requestId: `${row.id}/${row.event_sequence}`,
        reason: late ? canceledLate : 'call canceled',
      });
      return late;
    });
    return hadTo ?? false;
  }
}

/** Says in a workflow's history who canceled it. */
const canceledLate = 'call canceled: told by the reconciler';

async function wasCanceledLate(handle: WorkflowHandle): Promise<boolean> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).some((event) => event.workflowExecutionCancelRequestedEventAttributes?.cause === canceledLate);
}

/** An order to start may be due later than it was given. */
function givenAt(row: HandoffRow): Date {
  return row.handoff === 'START' && row.round === 1 ? row.created_at : (row.handoff_at ?? row.updated_at);
}

function titleOf(row: HandoffRow, { PERSONAL_DATA_IN_KEYS }: StarterPolicy): string {
  return PERSONAL_DATA_IN_KEYS === 'withheld' ? row.script_id : `${row.script_id} → ${maskNumber(row.to_number)}`;
}
