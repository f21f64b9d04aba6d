import { runOnce } from '../program';
import { BareLine } from './bare-line';

/** What the Temporal server carries of workflows shaped like a call's, whose steps do nothing. */
export interface BareInput {
  address: string;
  calls: number;
  slots: number;
}

export interface BareResult {
  perSecond: number;
}

const startsAtOnce = 16;

runOnce(async ({ address, calls, slots }: BareInput): Promise<BareResult> => {
  const line: BareLine = await BareLine.open(address, (workflowId) => {
    // At once, as a call of zero duration ends: the report may come before the activity's own answer.
    void line.report(workflowId);
    return Promise.resolve();
  });
  await line.giveTurns(slots);
  const startedAt = performance.now();
  let left = calls;
  const startOn = async (): Promise<void> => {
    while (left-- > 0) await line.start();
  };
  await Promise.all(Array.from({ length: startsAtOnce }, startOn));
  await line.untilAllEnded();
  const perSecond = (calls / (performance.now() - startedAt)) * 1_000;
  await line.close();
  return { perSecond };
});
