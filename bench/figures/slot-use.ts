import { waitUntil } from '../../infra/wait-until';
import type { Figure } from '../figure';
import { slotUse as slotUseOf } from '../line';
import { peerNames, type PeerName } from '../peer';
import type { Stage } from '../stage';
import { forEachSystem, watchCores } from '../systems';

const figure = 'slot-use';
const slots = 30;

interface Load {
  calls: number;
  seconds: { min: number; max: number };
  target?: number;
  peers: readonly PeerName[];
}

const loads: readonly Load[] = [
  { calls: 300, seconds: { min: 10, max: 30 }, target: 0.995, peers: ['bullmq'] },
  { calls: 600, seconds: { min: 3, max: 9 }, target: 0.97, peers: ['bullmq'] },
  { calls: 600, seconds: { min: 1, max: 1 }, peers: peerNames },
];
const quickLoads: readonly Load[] = [{ calls: 90, seconds: { min: 1, max: 2 }, peers: peerNames }];

/** How little of the slots' time is lost between one call and the next. */
export const slotUse: Figure = {
  name: figure,
  about: `busy time ÷ time of ${slots} slots while as many calls wait, as the provider sees it`,
  round: async (stage, book, round) => {
    for (const { calls, seconds, target, peers } of stage.quick ? quickLoads : loads) {
      const what = `${calls} calls of ${seconds.min}–${seconds.max} s`;
      const measure = { figure, what, unit: '', better: 'more', ...(target !== undefined && { target }) } as const;
      await forEachSystem(stage, { peers, slots }, async ({ who, pids, add }) => {
        const taken = watchCores(stage, pids);
        await add({ seconds, firstNumber: 0 }, calls);
        book.add(measure, who, await untilCarried(stage, calls));
        book.note(figure, round, who, `${what}: ${taken()}`);
      });
    }
  },
};

/** @returns the slots' use, once the provider has told of the last call */
async function untilCarried(stage: Stage, calls: number): Promise<number> {
  const all = async (): Promise<boolean> => {
    const { entries } = await stage.stub.journal();
    return entries.filter(({ toldAt }) => toldAt !== undefined).length >= calls;
  };
  await waitUntil(all, { deadlineSeconds: Infinity, pollMilliseconds: 1_000, signal: stage.signal });
  return slotUseOf((await stage.stub.journal()).entries, slots);
}
