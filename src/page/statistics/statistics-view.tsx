import type { Statistics } from '../../client/answers';
import { useFollowed } from '../service/followed';
import { hrefs } from '../service/route';
import { Loading, Nothing, Stale } from '../parts/notices';
import { Tile, Tiles } from '../parts/tiles';
import { count, percent, roughly } from '../parts/words';
import { Histogram } from './histogram';
import { isRange, loadStatistics, ranges, type Range } from './load-statistics';
import { OutcomesOverTime } from './outcomes-over-time';
import { Reasons } from './reasons';
import { RateOverTime } from './rate-over-time';

/** How it went: totals, success, durations, waits, failures. */
export function StatisticsView({ search }: { search: URLSearchParams }) {
  const asked = search.get('range');
  const range: Range = isRange(asked) ? asked : 'day';
  const shown = useFollowed(
    {
      load: (signal) => loadStatistics(range, signal),
      concerns: ({ type }) => /^call\.(completed|failed|expired|canceled)$/.test(type),
      gapMilliseconds: 3_000,
      everyMilliseconds: 15_000,
    },
    [range],
  );
  const { value, error } = shown;
  return (
    <>
      <div class="heading">
        <h1>Statistics</h1>
        <nav class="choice" aria-label="Range">
          {Object.entries(ranges).map(([name, { name: title }]) => (
            <a key={name} href={hrefs.statistics(name)} aria-current={name === range ? 'true' : undefined}>
              {title}
            </a>
          ))}
        </nav>
      </div>
      <Stale shown={shown} />
      {value ? <Figures statistics={value} range={range} /> : error === undefined && <Loading what="statistics" />}
    </>
  );
}

function Figures({ statistics, range }: { statistics: Statistics; range: Range }) {
  const { totals, buckets, bucketSeconds, durations, waits, failures } = statistics;
  const ended = totals.completed + totals.failed + totals.expired + totals.canceled;
  return (
    <>
      <Tiles>
        <Tile name="Ended" value={count(ended)} note="calls" />
        <Tile
          name="Success rate"
          value={totals.successRate === null ? '–' : percent(totals.successRate)}
          note={`${count(totals.completed)} completed`}
        />
        <Tile
          name="Median duration"
          value={durations.median === null ? '–' : roughly(durations.median)}
          note={durations.p95 === null ? undefined : `95 % within ${roughly(durations.p95)}`}
        />
        <Tile
          name="Median wait"
          value={waits.median === null ? '–' : roughly(waits.median)}
          note={waits.p95 === null ? undefined : `95 % within ${roughly(waits.p95)}`}
        />
      </Tiles>
      {ended === 0 ? (
        <Nothing>No call has ended in the last {ranges[range].name.toLowerCase()}.</Nothing>
      ) : (
        <div class="charts">
          <OutcomesOverTime buckets={buckets} bucketSeconds={bucketSeconds} />
          <RateOverTime buckets={buckets} bucketSeconds={bucketSeconds} />
          <Histogram title="How long calls lasted" what="completed" distribution={durations} />
          <Histogram title="How long they waited for a slot" what="attempts" distribution={waits} />
          <Reasons failures={failures} />
        </div>
      )}
    </>
  );
}
