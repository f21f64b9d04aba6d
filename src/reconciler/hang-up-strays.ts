import { callStatuses } from '../call/call';
import type { Logger } from '../log';
import type { Provider } from '../provider/provider';
import { lockCall, updateCall } from '../store/calls';
import type { Database } from '../store/database';
import { listStrayLines, settleStrayLine, type StrayLine } from '../store/orphans';

interface StrayDeps {
  db: Database;
  provider: Provider;
  log: Logger;
}

/**
 * Hangs up what the provider placed for attempts that had ended by then: a worker that stood still for longer than
 * MAX_CALL_SECONDS, between the note that it was about to dial and the dial, went on and dialled.
 *
 * @returns how many lines are down by it
 */
export async function hangUpStrays(deps: StrayDeps & { maxCallSeconds: number }): Promise<number> {
  let down = 0;
  for (const { quietSeconds, ...stray } of await listStrayLines(deps.db)) {
    if (await hangUpStray(deps, stray)) down++;
    // A provider that can neither hang up nor be asked: by now the call is over, or nobody can tell.
    else if (quietSeconds >= deps.maxCallSeconds)
      await settle(deps.db, stray, 'line given up: it could not be hung up');
  }
  return down;
}

/** Safe twice. @returns whether the line is down; what is not is tried again in the next round */
export async function hangUpStray({ db, provider, log }: StrayDeps, stray: StrayLine): Promise<boolean> {
  const { callId, externalCallId } = stray;
  try {
    const hungUp = await provider.hangUp(externalCallId);
    const { kind } = await provider.lookUp(externalCallId);
    if (kind === 'LIVE' || (kind === 'UNKNOWN' && !hungUp)) return false;
  } catch (error) {
    log.warn({ callId, externalCallId, err: error }, 'line of an attempt that had ended: not hung up yet');
    return false;
  }
  if (await settle(db, stray, 'line hung up: it was placed after its attempt had ended')) {
    log.warn({ callId, externalCallId }, 'line of an attempt that had ended: hung up');
  }
  return true;
}

/** Told once: by whoever finds the line not settled. */
async function settle(db: Database, { callId, attemptId }: StrayLine, reason: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    await lockCall(trx, callId);
    if (!(await settleStrayLine(trx, attemptId))) return false;
    await updateCall(trx, callId, { from: callStatuses, set: {}, events: [{ type: 'call.updated', reason }] });
    return true;
  });
}
