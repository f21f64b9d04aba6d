import { setTimeout as pause } from 'node:timers/promises';

import { type Client, WorkflowNotFoundError } from '@temporalio/client';

import { workflowId } from '../call/names';
import { signalNames, type SlotGranted } from '../call/workflow-messages';
import { inCall, SpanKind } from '../tracing';
import { attemptInHand } from './attempt-in-hand';
import type { Grant, Semaphore, Ticket } from './semaphore';

/** Within these whoever got a slot has most often dialled: what can wait does not take the machine from it. */
export const nextDialMilliseconds = 200;

/**
 * Tells each attempt that a slot is its own. One whose workflow is gone gives the slot back at once, which may bring
 * further grants: they are told as well. Safe to repeat: a grant told twice is one grant.
 *
 * @param late told before, and perhaps not heard: where the attempt begins by this telling, its timeline says so
 */
export async function signalGrants(
  deps: { temporal: Client; semaphore: Pick<Semaphore, 'release'> },
  grants: readonly Grant[],
  { late = false }: { late?: boolean } = {},
): Promise<void> {
  const told = await Promise.all(grants.map((grant) => signalGrant(deps.temporal, grant, late)));
  const unwanted = grants.filter((_, index) => !told[index]);
  for (const grant of unwanted) await giveBack(deps, grant);
}

/** Gives back a ticket's slot, or its place, and tells whoever is served by that. @returns the slot it had, or 0 */
export async function giveBack(
  deps: { temporal: Client; semaphore: Pick<Semaphore, 'release'> },
  ticket: Ticket,
): Promise<number> {
  const { value: slot, grants, ahead } = await deps.semaphore.release(ticket);
  await signalGrants(deps, grants);
  if (ahead) void wake(deps.temporal, ahead);
  return slot;
}

/**
 * In a long queue whoever has waited longest has left its worker's cache first. A query, which leaves no event, brings its
 * workflow back before its turn, so that its history is not fetched and replayed between its grant and its dial. One that
 * is not answered costs just that.
 */
async function wake(temporal: Client, { callId }: Ticket): Promise<void> {
  await pause(nextDialMilliseconds, undefined, { ref: false });
  await attemptInHand(temporal, callId).catch(() => undefined);
}

/** @returns false where there is no workflow to take the slot */
async function signalGrant(temporal: Client, { callId, attemptId, slot }: Grant, late: boolean): Promise<boolean> {
  const granted: SlotGranted = { attemptId, slot, ...(late && { late }) };
  try {
    const handle = temporal.workflow.getHandle(workflowId(callId));
    await inCall(callId, 'signal slot', { kind: SpanKind.CLIENT, attributes: { 'call.slot': slot } }, () =>
      handle.signal(signalNames.slotGranted, granted),
    );
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
