import { ApplicationFailure } from '@temporalio/common';

import type { AttemptIds } from '../call/attempt-end';
import { maskNumber } from '../call/phone-number';
import { overStatus } from '../call/workflow-messages';
import { actOnReport, findReported } from '../intake/provider-reports';
import type { DialAnswer } from '../provider/provider';
import { hangUpStray } from '../reconciler/hang-up-strays';
import { giveBack, signalGrants } from '../slots/signal-grants';
import { findSlotHolder } from '../store/attempts';
import { findCall } from '../store/calls';
import { lookHoldsMilliseconds } from '../store/control';
import {
  claimSlot,
  clearDoubt,
  doubtOfClaim,
  noteDoubt,
  readDial,
  recordOnTheLine,
  takeBackDoubtOfClaim,
  type DialRow,
  type Doubt,
} from '../store/dials';
import { findReport } from '../store/provider-reports';
import type { ActivityDeps } from '.';
import { turnMeter } from './measure-turn';
import type { Line, Over } from './steps';

/**
 * Claims the slot in PostgreSQL, then asks the provider to place the call. Taken again after a crash or a lost answer, it
 * finds the claim made and asks with the attempt's own key, which never places a second call.
 *
 * @throws ApplicationFailure, retryable, while the provider is away and the attempt's patience lasts; or while dialling is
 *   paused, where the claim was made before
 */
export function dial(deps: ActivityDeps) {
  const { db, semaphore } = deps;
  const measureTurn = turnMeter(deps);
  return async (input: AttemptIds & { slot: number; late?: boolean }): Promise<Line> => {
    const askedFrom = performance.now();
    const claim = await claimSlot(db, input);
    switch (claim.kind) {
      case 'OVER':
        return over(deps, input, claim);
      case 'NUMBER_BUSY':
        await giveBack(deps, input);
        return { kind: 'NUMBER_BUSY' };
      case 'SLOT_TAKEN':
        await correctSlot(deps, input);
        return { kind: 'SLOT_LOST' };
      case 'PAUSED':
        // Redis first, so that it gives the slot to nobody else, nor back to this one when it asks again.
        await signalGrants(deps, (await semaphore.adoptSwitch()).grants);
        await giveBack(deps, input);
        return { kind: 'SLOT_LOST' };
      case 'CLAIMED':
        break;
    }
    const begun = claim.begun && { row: claim.begun, until: askedFrom + lookHoldsMilliseconds };
    if (begun) void measureTurn(input.attemptId);
    // Side by side: the record has the slot, and the request need not wait for Redis to hear of it.
    const steps = [placeOnLine(deps, input, begun), confirmSlot(deps, input, claim)] as const;
    await Promise.allSettled(steps);
    const [line] = await Promise.all(steps);
    return line;
  };
}

async function confirmSlot(
  deps: ActivityDeps,
  input: AttemptIds,
  claim: { slot: number; number: number },
): Promise<void> {
  const { value: slot, grants } = await deps.semaphore.confirm(input, claim.slot);
  await signalGrants(deps, grants);
  deps.log.debug({ callId: input.callId, attempt: claim.number, slot }, 'slot claimed');
}

/** Redis gave a slot that PostgreSQL has on another attempt: Redis learns whose it is. */
async function correctSlot(deps: ActivityDeps, input: AttemptIds & { slot: number }): Promise<void> {
  const owner = await findSlotHolder(deps.db, input.slot);
  deps.log.warn({ callId: input.callId, slot: input.slot, owner: owner?.callId }, 'slot granted twice, fenced');
  if (owner) await signalGrants(deps, (await deps.semaphore.confirm(owner, input.slot)).grants);
}

/** An attempt that began just now: nobody can have placed it. */
interface Begun {
  row: DialRow;
  /** What the claim saw of the pause switch holds until then, by `performance.now()`. */
  until: number;
}

async function placeOnLine(deps: ActivityDeps, input: AttemptIds, begun: Begun | undefined): Promise<Line> {
  const { db, provider, log } = deps;
  const [row, report] = begun
    ? [begun.row, undefined]
    : await Promise.all([readDial(db, input.attemptId), findReport(db, input.attemptId)]);
  if (row.ended) return endedMeanwhile(deps, input);
  // Known to be placed: by the dial's answer, or by a webhook that was faster.
  if (row.externalCallId !== null || report) return { kind: 'ON_THE_LINE' };
  if (row.callStatus !== 'IN_PROGRESS') return afterWithdrawal(row);

  // Noted before the request leaves, so that a crash leaves a doubt and not a blank.
  const doubt = await doubtNoted(deps, input, begun);
  if (doubt === 'ENDED') return endedMeanwhile(deps, input);
  // It keeps its slot: its attempt has begun, and an earlier request may have placed the call.
  if (doubt === 'PAUSED') throw ApplicationFailure.retryable('dialling is paused', 'Paused');
  const answer = await provider.dial({ attemptId: input.attemptId, ...row.payload });
  const context = { callId: input.callId, attempt: row.number, slot: row.slot, number: maskNumber(row.payload.to) };
  switch (answer.kind) {
    case 'ACCEPTED': {
      const placed = await recordOnTheLine(db, input, answer.externalCallId);
      if (placed.kind === 'ASTRAY') {
        await hangUpStray(deps, { ...input, externalCallId: answer.externalCallId });
        return endedMeanwhile(deps, input);
      }
      const reported = placed.reportsWaiting ? await findReported(deps, input.attemptId) : undefined;
      if (reported) await actOnReport(deps, reported);
      log.info({ ...context, externalCallId: answer.externalCallId }, 'on the line');
      return { kind: 'ON_THE_LINE' };
    }
    case 'REFUSED':
      // A passing refusal of a key that may have placed the call speaks of that very call: ask again.
      if (doubt.before && !answer.final) return tryAgain(deps, row, answer);
      // Not left in doubt: the end of this attempt may be another's to write down.
      await clearDoubt(db, input.attemptId, doubt);
      log.warn({ ...context, reason: answer.reason }, 'provider refused the call');
      return notPlaced('REFUSED', answer.reason, answer.final);
    case 'BUSY':
      if (doubt.before || !(await clearDoubt(db, input.attemptId, doubt))) return tryAgain(deps, row, answer);
      if (row.elapsedSeconds >= deps.dialPatienceSeconds) {
        log.warn({ ...context, reason: answer.reason }, 'provider not reached, attempt given up');
        return notPlaced('UNREACHABLE', answer.reason, false);
      }
      return tryAgain(deps, row, answer);
    case 'UNKNOWN':
      return tryAgain(deps, row, answer);
  }
}

/** The claim has noted it, where that was just now. */
async function doubtNoted({ db }: ActivityDeps, { attemptId }: AttemptIds, begun: Begun | undefined) {
  if (begun && performance.now() < begun.until) return doubtOfClaim;
  const doubt = await noteDoubt(db, attemptId);
  if (!begun) return doubt;
  if (doubt === 'PAUSED') await takeBackDoubtOfClaim(db, attemptId);
  // What is noted of a try before is of this one.
  return typeof doubt === 'string' ? doubt : ({ ...doubt, before: false } satisfies Doubt);
}

/** The reconciler, or a report, ended the attempt while this try was under way: what was claimed for it is given back. */
async function endedMeanwhile(deps: ActivityDeps, input: AttemptIds): Promise<Line> {
  return over(deps, input, {
    kind: 'OVER',
    status: overStatus(await findCall(deps.db, input.callId), input.round),
  });
}

/** An attempt that was reported was on the line: its workflow hears of the report, and concludes by it. */
async function over(deps: ActivityDeps, input: AttemptIds, line: Over): Promise<Line> {
  await giveBack(deps, input);
  return (await findReport(deps.db, input.attemptId)) === undefined ? line : { kind: 'ON_THE_LINE' };
}

/** Withdrawn before this try: a call that was surely not placed is over, any other is hung up by the workflow. */
function afterWithdrawal(row: DialRow): Line {
  return row.inDoubt ? { kind: 'ON_THE_LINE' } : notPlaced('CANCELED', 'canceled before it was placed', false);
}

function notPlaced(outcome: 'REFUSED' | 'UNREACHABLE' | 'CANCELED', failureReason: string, final: boolean): Line {
  return { kind: 'NOT_PLACED', end: { outcome, failureReason, durationSec: null, final } };
}

/** Within the attempt's patience Temporal asks again; after it, a call that may be on the line is waited for. */
function tryAgain(deps: ActivityDeps, row: DialRow, answer: Extract<DialAnswer, { reason: string }>): Line {
  if (row.elapsedSeconds >= deps.dialPatienceSeconds) return { kind: 'ON_THE_LINE' };
  throw ApplicationFailure.retryable(answer.reason, 'ProviderUnavailable');
}
