import { handOvers, slotUse } from '../../bench/line';

/** Two slots; a call every 10 ms on each, and 5 ms between two on the first. */
const entries = [
  { dialedAt: 0, endedAt: 10 },
  { dialedAt: 0, endedAt: 15 },
  { dialedAt: 15, endedAt: 25 },
  { dialedAt: 16, endedAt: 26 },
  { dialedAt: 27, endedAt: 37 },
  { dialedAt: 28, endedAt: 38 },
];

describe('what the provider’s journal says', () => {
  test('slots are in use by their busy time, while as many calls wait as there are slots', () => {
    // From 0, when both were dialled, until 27, after which one call waits: 10 + 15 + 10 + 10 of 2 × 27.
    expect(slotUse(entries, 2)).toBeCloseTo(45 / 54, 6);
  });

  test('a slot is handed over from an end to the dial that followed it', () => {
    expect(handOvers(entries, 2)).toEqual([5, 1, 2, 2]);
  });

  test('a dial before its place was free is no hand-over but shows', () => {
    const early = [...entries.slice(0, 2), { dialedAt: 8, endedAt: 20 }];
    expect(handOvers(early, 2)).toEqual([-2]);
  });
});
