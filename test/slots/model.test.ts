import fc from 'fast-check';

import { givenBack, putOutAtOnce, story } from './model/story';
import { World } from './model/world';
import { SlotsUnderTest } from './slots-under-test';

// FAST_CHECK_SEED=<the seed a failure printed> repeats that failure; FAST_CHECK_RUNS=1000 looks for longer.
const seed = process.env['FAST_CHECK_SEED'];
const runs = Number(process.env['FAST_CHECK_RUNS'] ?? '50');
const timeLimitMs = 60_000 + 2_000 * runs;

let slots: SlotsUnderTest;

beforeAll(async () => {
  slots = await SlotsUnderTest.open();
});
afterAll(() => slots.close());

test(
  'whatever crashes, is lost, repeated or flushed, in whatever order: no slot has two, and no attempt is forgotten',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), story, async (limit, steps) => {
        const world = await World.begin(slots, limit);
        for (const step of steps) await world.take(step);
        await world.recover();
      }),
      {
        numRuns: runs,
        examples: [
          [1, givenBack],
          [1, putOutAtOnce],
        ],
        interruptAfterTimeLimit: timeLimitMs,
        ...(seed !== undefined && { seed: Number(seed) }),
      },
    );
  },
  timeLimitMs + 30_000,
);
