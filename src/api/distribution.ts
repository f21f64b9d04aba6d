import type { Spread } from '../store/statistics';
import type { Distribution } from './board-schemas';

const binSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];
const binsAtMost = 20;

/** Bins as wide as lets most of it fit; what is far out of the ordinary is counted together in the last. */
export function distributionOf(spread: readonly Spread[]): Distribution {
  const [median, p95, most] = [0.5, 0.95, 0.99].map((share) => quantile(spread, share));
  if (median === undefined || p95 === undefined || most === undefined) {
    return { unit: 'seconds', median: null, p95: null, bins: [] };
  }
  const width = binSteps.find((step) => most / step < binsAtMost) ?? Math.ceil(most / binsAtMost);
  const length = Math.floor(most / width) + 1;
  const bins = Array.from({ length }, (_, index) => ({ from: index * width, to: (index + 1) * width, count: 0 }));
  let beyond = 0;
  for (const { seconds, count } of spread) {
    const bin = bins[Math.floor(Math.max(seconds, 0) / width)];
    if (bin) bin.count += count;
    else beyond += count;
  }
  const rest = beyond > 0 ? [{ from: length * width, to: null, count: beyond }] : [];
  return { unit: 'seconds', median: Math.max(median, 0), p95: Math.max(p95, 0), bins: [...bins, ...rest] };
}

/** The least of the values, which are in order, that so large a share of them does not exceed. */
function quantile(spread: readonly Spread[], share: number): number | undefined {
  const total = spread.reduce((sum, { count }) => sum + count, 0);
  let seen = 0;
  return spread.find(({ count }) => (seen += count) >= share * total)?.seconds;
}
