import { setTimeout as pause } from 'node:timers/promises';

import { InfraError } from '../../infra/infra-error';
import { waitUntil } from '../../infra/wait-until';
import type { Measure } from '../book';
import type { Figure } from '../figure';
import { handOvers } from '../line';
import { bareHandOver, peerNames } from '../peer';
import { quantile } from '../spread';
import type { Stage } from '../stage';
import { forEachSystem, watchCores } from '../systems';

const figure = 'hand-over';
const slots = 30;
export const perSecond = 1.5;
const filledWithinSeconds = 120;

const middle: Measure = { figure, what: 'p50', unit: 'ms', better: 'less', target: 40, targetOfLimit: 1.25 };
const slowest: Measure = { figure, what: 'p99', unit: 'ms', better: 'less', target: 200, targetOfLimit: 1.25 };

/** From a call's webhook until the dial that takes its place: what a slot stands idle for. */
export const handOver: Figure = {
  name: figure,
  about: `webhook sent → next dial at the provider, ${slots} slots, ${perSecond} calls a second`,
  round: async (stage, book, round) => {
    const ends = stage.quick ? 15 : 90;
    await forEachSystem(stage, { peers: [...peerNames, bareHandOver], slots }, async ({ who, pids, add }) => {
      await add({ firstNumber: 0 }, slots + ends + slots);
      await untilOnTheLine(stage, slots);
      await pause(settleSeconds * 1_000, undefined, { signal: stage.signal });
      const taken = watchCores(stage, pids);
      const handedOver = await endPaced(stage, ends);
      book.add(middle, who, quantile(handedOver, 0.5));
      book.add(slowest, who, quantile(handedOver, 0.99));
      book.note(figure, round, who, taken());
    });
  },
};

/** Within which those that wait have taken their places. */
const settleSeconds = 5;

export async function untilOnTheLine({ stub, signal }: Stage, count: number): Promise<void> {
  const filled = async (): Promise<boolean> => (await stub.journal()).live >= count;
  if (await waitUntil(filled, { deadlineSeconds: filledWithinSeconds, signal })) return;
  throw new InfraError(`not ${count} calls on the line within ${filledWithinSeconds} s`);
}

/** Ends the calls on a full line one by one. @returns milliseconds until the dial that followed each */
export async function endPaced({ stub, signal }: Stage, ends: number): Promise<number[]> {
  const before = (await stub.journal()).entries.length;
  for (let ended = 0; ended < ends; ended++) {
    await stub.end(1);
    await pause(1_000 / perSecond, undefined, { signal });
  }
  const followed = async (): Promise<boolean> => (await stub.journal()).entries.length >= before + ends;
  await waitUntil(followed, { deadlineSeconds: filledWithinSeconds, signal });
  return handOvers((await stub.journal()).entries, slots).slice(-ends);
}
