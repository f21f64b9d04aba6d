import { useSignal } from '@preact/signals';

import { percent } from '../parts/words';
import { Chart, VerticalAxis, type Area } from './chart';
import { indexAt, nameOf, TimeAxis, type Bucket } from './time-axis';

interface Props {
  buckets: readonly Bucket[];
  bucketSeconds: number;
}

/** As the totals have it: of those that were not canceled. */
function rateOf({ completed, failed, expired }: Bucket): number | undefined {
  const ended = completed + failed + expired;
  return ended === 0 ? undefined : completed / ended;
}

/** The share of calls that ended well; a gap where none ended. */
export function RateOverTime({ buckets, bucketSeconds }: Props) {
  const pointed = useSignal<number | undefined>(undefined);
  const bucket = pointed.value === undefined ? undefined : buckets[pointed.value];
  const rates = buckets.map(rateOf);
  const known = rates.filter((rate) => rate !== undefined);
  const told = (rate: number | undefined) => (rate === undefined ? 'none ended' : percent(rate));
  const lowest =
    known.length === 0 ? 'none ended' : `between ${percent(Math.min(...known))} and ${percent(Math.max(...known))}`;
  return (
    <Chart
      title="Success rate"
      summary={`A line over time, ${lowest}.`}
      height={220}
      legend="Completed, of all that were not canceled"
      readout={bucket && `${nameOf(bucket, bucketSeconds)}: ${told(rateOf(bucket))}`}
      onPoint={(share) => (pointed.value = indexAt(share, buckets.length))}
      draw={(area) => <RateLine area={area} buckets={buckets} rates={rates} pointed={pointed.value} />}
      table={
        <table>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col" class="number">
                Success rate
              </th>
            </tr>
          </thead>
          <tbody>
            {buckets
              .filter((one) => rateOf(one) !== undefined)
              .map((one) => (
                <tr key={one.at}>
                  <td>{nameOf(one, bucketSeconds)}</td>
                  <td class="number">{told(rateOf(one))}</td>
                </tr>
              ))}
          </tbody>
        </table>
      }
    />
  );
}

interface RateLineProps {
  area: Area;
  buckets: readonly Bucket[];
  rates: readonly (number | undefined)[];
  pointed: number | undefined;
}

function RateLine({ area, buckets, rates, pointed }: RateLineProps) {
  const width = (area.right - area.left) / buckets.length;
  const x = (index: number) => area.left + (index + 0.5) * width;
  const y = (rate: number) => area.bottom - rate * (area.bottom - area.top);
  const path = rates
    .map((rate, index) => {
      if (rate === undefined) return '';
      return `${rates[index - 1] === undefined ? 'M' : 'L'}${x(index).toFixed(1)} ${y(rate).toFixed(1)}`;
    })
    .join('');
  return (
    <>
      <VerticalAxis area={area} ticks={[0, 0.25, 0.5, 0.75, 1]} label={(share) => `${share * 100} %`} />
      <path class="rate" d={path} />
      {rates.map((rate, index) => {
        const isAlone = rates[index - 1] === undefined && rates[index + 1] === undefined;
        if (rate === undefined || !(isAlone || pointed === index)) return null;
        return <circle key={buckets[index]?.at} class="rate-point" cx={x(index)} cy={y(rate)} r={isAlone ? 2.5 : 4} />;
      })}
      <TimeAxis area={area} buckets={buckets} />
    </>
  );
}
