import { carryCalls, needsOf, type Plan } from '../../bench/simulation/carry-calls';
import { handOver, here, type Deployment, type Station } from '../../bench/simulation/parameters';
import { simulatedTables } from '../../bench/simulation/tables';
import { readDocument } from '../docs/documents';

const unbounded = (milliseconds: number): Station => ({ name: 'unbounded', perSecond: Infinity, milliseconds });

function deploymentOf(temporal: Station, others = unbounded(0)): Deployment {
  return { name: 'simulated', temporal, postgres: others, redis: others };
}

const oneSlot: Plan = {
  slots: 1,
  seconds: { min: 10, max: 10 },
  calls: 20,
  deployment: deploymentOf(unbounded(0)),
  spread: 0,
  unqueued: { webhook: 0, dial: 0 },
  seed: 1,
};

describe('the simulated line', () => {
  test('is in use all the time where handing over takes none', () => {
    const carried = carryCalls({ ...oneSlot, slots: 7, seconds: { min: 3, max: 9 }, calls: 200 });
    expect(carried.use).toBeCloseTo(1, 9);
    expect(carried.handOver).toEqual({ p50: 0, p99: 0 });
  });

  test('loses with one slot what its stages take one after the other', () => {
    const deployment = deploymentOf(unbounded(20), unbounded(5));
    const { use, handOver: taken } = carryCalls({ ...oneSlot, deployment, unqueued: { webhook: 2, dial: 3 } });
    const count = (stage: string): number => handOver.filter(({ at }) => at === stage).length;
    const milliseconds = 20 * count('temporal') + 5 * (count('postgres') + count('redis')) + 2 + 3;
    expect(taken.p50).toBeCloseTo(milliseconds, 6);
    expect(use).toBeCloseTo(10_000 / (10_000 + milliseconds), 9);
  });

  test('carries what the station that is asked for most can carry, and no more', () => {
    const slots = 100;
    const needed = needsOf(slots, oneSlot.seconds).temporal;
    const deployment = deploymentOf({ name: 'half', perSecond: needed / 2, milliseconds: 5 });
    const { use } = carryCalls({ ...oneSlot, slots, calls: slots * 100, deployment });
    expect(use).toBeGreaterThan(0.48);
    expect(use).toBeLessThan(0.53);
  });

  test('is the same for the same seed, and another for another', () => {
    const plan = { ...oneSlot, slots: 30, seconds: { min: 3, max: 9 }, calls: 300, deployment: here, spread: 0.6 };
    expect(carryCalls(plan)).toEqual(carryCalls(plan));
    expect(carryCalls({ ...plan, seed: 2 })).not.toEqual(carryCalls(plan));
  });
});

test('docs/scale.md quotes what the simulation says', () => {
  for (const table of simulatedTables()
    .split('\n\n')
    .filter((part) => part.startsWith('|')))
    expect(cellsOf(readDocument('docs/scale.md'))).toContain(cellsOf(table));
});

/** Prettier pads the cells of a document's tables. */
function cellsOf(markdown: string): string {
  return markdown.replace(/ +/g, ' ').replace(/-{3,}/g, '---');
}
