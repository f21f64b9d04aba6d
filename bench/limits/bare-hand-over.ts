import { servePeer } from '../peers/serve-peer';
import type { BenchCall } from '../requests';
import { BareLine } from './bare-line';

/** What a hand-over takes by Temporal alone: from a webhook to the dial of another workflow, and nothing stored between. */
servePeer(async () => {
  const calls = new Map<string, BenchCall>();
  let carryOut: (call: BenchCall, dialled: () => void) => Promise<void> = () =>
    Promise.reject(new Error('no work yet'));
  const line: BareLine = await BareLine.open(process.env['TEMPORAL_ADDRESS'] ?? '', (workflowId) => {
    const call = calls.get(workflowId);
    if (call === undefined) throw new Error(`no call for ${workflowId}`);
    return new Promise((dialled, failed) => {
      carryOut(call, dialled)
        .then(() => line.report(workflowId))
        .catch(failed);
    });
  });
  return {
    add: (call) => line.start((workflowId) => calls.set(workflowId, call)),
    work: (carry, concurrency) => {
      carryOut = carry;
      return line.giveTurns(concurrency);
    },
    close: () => line.close(),
  };
});
