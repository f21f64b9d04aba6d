import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';

import { searchAttributes, taskQueue, workflowId } from '../call/names';
import { maskNumber } from '../call/phone-number';
import { placeCallWorkflow, signalNames, type CallEdited, type PlaceCallInput } from '../call/workflow-messages';
import type { Config } from '../config';
import type { Logger } from '../log';
import type { CallRow, Database } from '../store/database';
import { clearHandoff, listHandoffs, requireStart } from '../store/handoffs';

type StarterPolicy = Pick<Config, 'RETRY_INITIAL_SECONDS' | 'RETRY_BACKOFF' | 'MAX_CALL_SECONDS'>;

export interface StarterDeps {
  db: Database;
  temporal: Client;
  policy: StarterPolicy;
  log: Logger;
}

/** Handoffs under way at once right after a commit; what comes on top is left to the sweep, which is never far. */
const maxInFlight = 64;

/**
 * Tells Temporal what a call's row says it must be told: to start its workflow, that it was edited, that it was canceled.
 * The row keeps the order until it was carried out, so that a crash, or Temporal being away, delays it and no more.
 */
export class Starter {
  private inFlight = 0;

  constructor(private readonly deps: StarterDeps) {}

  /** Right after the commit, without waiting: a failure is logged and left to the sweep. */
  handOffSoon(row: CallRow): void {
    if (this.inFlight >= maxInFlight) return;
    this.inFlight++;
    this.handOff(row)
      .catch((error: unknown) => {
        this.deps.log.warn(
          { callId: row.id, handoff: row.handoff, err: error },
          'Temporal not told yet; the sweep will',
        );
      })
      .finally(() => {
        this.inFlight--;
      });
  }

  /**
   * Hands off what earlier tries left behind.
   *
   * @returns how many were carried out
   */
  async sweep(options: { olderThanSeconds: number; limit: number }): Promise<number> {
    const rows = await listHandoffs(this.deps.db, options);
    let done = 0;
    for (const row of rows) {
      try {
        if (await this.handOff(row)) done++;
      } catch (error) {
        // One call's trouble must not keep the others waiting; its order stays in its row.
        this.deps.log.warn(
          { callId: row.id, handoff: row.handoff, err: error },
          'Temporal not told; the next sweep will',
        );
      }
    }
    return done;
  }

  /** Safe at any time, any number of times. @returns whether the order was carried out */
  async handOff(row: CallRow): Promise<boolean> {
    const { db } = this.deps;
    switch (row.handoff) {
      case 'START':
        if (row.status === 'PENDING' && !(await this.start(row))) return false;
        break;
      case 'EDITED':
        if (row.status === 'PENDING' && !(await this.tellEdited(row))) {
          await requireStart(db, row);
          return false;
        }
        break;
      case 'CANCEL':
        await this.cancel(row);
        break;
      case null:
        return false;
    }
    await clearHandoff(db, row);
    return true;
  }

  /** @returns false while the workflow of an earlier round is still ending */
  private async start(row: CallRow): Promise<boolean> {
    const { temporal, policy } = this.deps;
    const input: PlaceCallInput = {
      callId: row.id,
      round: row.round,
      title: titleOf(row),
      expiresAt: row.expires_at.toISOString(),
      maxCallSeconds: policy.MAX_CALL_SECONDS,
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
        memo: { round: row.round },
        typedSearchAttributes: new TypedSearchAttributes([
          { key: defineSearchAttributeKey(searchAttributes.status, SearchAttributeType.KEYWORD), value: 'PENDING' },
          {
            key: defineSearchAttributeKey(searchAttributes.scriptId, SearchAttributeType.KEYWORD),
            value: row.script_id,
          },
          { key: defineSearchAttributeKey(searchAttributes.attempt, SearchAttributeType.INT), value: 1 },
        ]),
      });
      return true;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      const running = temporal.workflow.getHandle(workflowId(row.id));
      const { memo } = await running.describe();
      if (memo?.['round'] === row.round) return true;
      // The cancel that ended the earlier round may have been lost; without it that run might wait for long.
      await unlessNotFound(() => running.cancel());
      return false;
    }
  }

  /** @returns false where there is no workflow to tell */
  private async tellEdited(row: CallRow): Promise<boolean> {
    const edited: CallEdited = {
      title: titleOf(row),
      scriptId: row.script_id,
      expiresAt: row.expires_at.toISOString(),
    };
    return unlessNotFound(() =>
      this.deps.temporal.workflow.getHandle(workflowId(row.id)).signal(signalNames.callEdited, edited),
    );
  }

  private async cancel(row: CallRow): Promise<void> {
    await unlessNotFound(() => this.deps.temporal.workflow.getHandle(workflowId(row.id)).cancel());
  }
}

function titleOf(row: CallRow): string {
  return `${row.script_id} → ${maskNumber(row.to_number)}`;
}

async function unlessNotFound(request: () => Promise<unknown>): Promise<boolean> {
  try {
    await request();
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
