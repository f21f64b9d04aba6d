import type { Statistics } from '../../client/answers';
import { service } from '../service/session';

export const ranges = {
  hour: { name: 'Hour', seconds: 3_600 },
  day: { name: '24 hours', seconds: 86_400 },
  week: { name: '7 days', seconds: 7 * 86_400 },
  month: { name: '30 days', seconds: 30 * 86_400 },
} as const;
export type Range = keyof typeof ranges;

export const isRange = (text: string | null): text is Range => text !== null && Object.hasOwn(ranges, text);

/** Up to now. */
export function loadStatistics(range: Range, signal: AbortSignal): Promise<Statistics> {
  const from = new Date(Date.now() - ranges[range].seconds * 1_000);
  return service.value.statistics({ from }, { signal });
}
