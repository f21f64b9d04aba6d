import type { LineEntry } from './stub-provider';

/**
 * Busy slot time ÷ (slots × time), by the provider's journal, from when the line was first full and for as long as as many
 * calls as there are slots still waited.
 */
export function slotUse(entries: readonly LineEntry[], slots: number): number {
  const dials = entries.map(({ dialedAt }) => dialedAt).sort((a, b) => a - b);
  const from = dials[slots - 1] ?? 0;
  // With the dial after this one, fewer than `slots` calls wait.
  const until = dials.at(-slots) ?? from;
  const busy = entries.reduce((sum, { dialedAt, endedAt = until }) => {
    return sum + Math.max(0, Math.min(endedAt, until) - Math.max(dialedAt, from));
  }, 0);
  return busy / (slots * (until - from));
}

/**
 * Milliseconds from each call's end until the dial that took its place: the first end is followed by the first dial after
 * the line was full, the second by the second, and so on.
 */
export function handOvers(entries: readonly LineEntry[], slots: number): number[] {
  const dials = entries.map(({ dialedAt }) => dialedAt).sort((a, b) => a - b);
  const ends = entries.flatMap(({ endedAt }) => endedAt ?? []).sort((a, b) => a - b);
  return dials.slice(slots).flatMap((dialedAt, index) => {
    const endedAt = ends[index];
    return endedAt === undefined ? [] : [dialedAt - endedAt];
  });
}
