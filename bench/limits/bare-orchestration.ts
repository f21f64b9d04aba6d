import { runOnce } from '../program';
import { BareLine } from './bare-line';

/** What the Temporal server carries of workflows shaped like a call's, whose steps do nothing. */
export interface BareInput {
  address: string;
  calls: number;
  /** Carried before those, which do not count. */
  warmUpCalls: number;
  slots: number;
  /** Of how many the ids are wanted. */
  sampled: number;
}

export interface BareResult {
  perSecond: number;
  /** Of some that were carried, evenly apart. */
  workflowIds: string[];
  /** Of one that was carried by itself, with a task for each of its steps. */
  aloneId: string;
}

const startsAtOnce = 16;

runOnce(async ({ address, calls, warmUpCalls, slots, sampled }: BareInput): Promise<BareResult> => {
  const line: BareLine = await BareLine.open(address, (workflowId) => {
    // At once, as a call of zero duration ends: the report may come before the activity's own answer.
    void line.report(workflowId);
    return Promise.resolve();
  });
  await line.giveTurns(slots);
  await carry(line, warmUpCalls);
  const startedAt = performance.now();
  await carry(line, calls);
  const perSecond = (calls / (performance.now() - startedAt)) * 1_000;
  const aloneId = await line.carryAlone();
  await line.close();
  const apart = calls / sampled;
  const workflowIds = Array.from({ length: sampled }, (_, index) => line.idOf(warmUpCalls + Math.floor(index * apart)));
  return { perSecond, workflowIds, aloneId };
});

async function carry(line: BareLine, count: number): Promise<void> {
  let left = count;
  const startOn = async (): Promise<void> => {
    while (left-- > 0) await line.start();
  };
  await Promise.all(Array.from({ length: startsAtOnce }, startOn));
  await line.untilAllEnded();
}
