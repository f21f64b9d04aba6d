import { collectDefaultMetrics, Registry } from 'prom-client';

/**
 * What this process measures. A room makes its metrics where it measures, with `registers: [registry]`: names begin with
 * `orchestrator_` and end with their unit, and no label takes more values than can be listed.
 */
export const registry = new Registry();
collectDefaultMetrics({
  register: registry,
  prefix: 'orchestrator_',
  // How late a timer of so many milliseconds is, these included. Each time it wakes the process, which by its own 10 takes half a
  // percent of a core, and by 50 a fourth of all that it takes while nothing moves.
  eventLoopMonitoringPrecision: 250,
});

/** Upper bounds, in seconds, for what takes from milliseconds to a minute. */
export const momentBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The same for what takes from a moment to an hour: waits, and what an outage leaves behind. */
export const waitBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];

/** Seconds since then; none where the clock that said it is ahead of ours. */
export function secondsSince(time: Date | number): number {
  return Math.max(0, Date.now() - Number(time)) / 1_000;
}
