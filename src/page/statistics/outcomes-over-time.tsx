import { useSignal } from '@preact/signals';

import { count } from '../parts/words';
import { Chart, ticksUpTo, VerticalAxis, type Area } from './chart';
import { indexAt, nameOf, TimeAxis, type Bucket } from './time-axis';

const outcomes = ['completed', 'failed', 'expired', 'canceled'] as const;

interface Props {
  buckets: readonly Bucket[];
  bucketSeconds: number;
}

const endedIn = (bucket: Bucket) => outcomes.reduce((sum, name) => sum + bucket[name], 0);

/** Calls that ended, by how, stacked. */
export function OutcomesOverTime({ buckets, bucketSeconds }: Props) {
  const pointed = useSignal<number | undefined>(undefined);
  const bucket = pointed.value === undefined ? undefined : buckets[pointed.value];
  const told = (one: Bucket) => outcomes.map((name) => `${count(one[name])} ${name}`).join(', ');
  return (
    <Chart
      title="Calls that ended"
      summary={`Columns over time: ${outcomes.map((name) => `${count(buckets.reduce((sum, one) => sum + one[name], 0))} ${name}`).join(', ')}.`}
      height={220}
      legend={outcomes.map((name) => (
        <span key={name}>
          <span class={`swatch fill-${name}`} aria-hidden="true" /> {name}
        </span>
      ))}
      readout={bucket && `${nameOf(bucket, bucketSeconds)}: ${told(bucket)}`}
      onPoint={(share) => (pointed.value = indexAt(share, buckets.length))}
      draw={(area) => <Columns area={area} buckets={buckets} pointed={pointed.value} />}
      table={<OutcomeTable buckets={buckets} bucketSeconds={bucketSeconds} />}
    />
  );
}

function Columns({ area, buckets, pointed }: { area: Area; buckets: readonly Bucket[]; pointed: number | undefined }) {
  const ticks = ticksUpTo(Math.max(...buckets.map(endedIn)));
  const perCall = (area.bottom - area.top) / (ticks.at(-1) ?? 1);
  const width = (area.right - area.left) / buckets.length;
  return (
    <>
      <VerticalAxis area={area} ticks={ticks} label={count} />
      {buckets.map((bucket, index) => {
        let y = area.bottom;
        return (
          <g key={bucket.at} class={pointed === index ? 'is-pointed' : undefined}>
            {outcomes.map((name) => {
              const height = bucket[name] * perCall;
              y -= height;
              const gap = width > 4 ? 1 : 0;
              return height === 0 ? null : (
                <rect
                  key={name}
                  class={`fill-${name}`}
                  x={area.left + index * width + gap / 2}
                  y={y}
                  width={Math.max(1, width - gap)}
                  height={height}
                />
              );
            })}
          </g>
        );
      })}
      <TimeAxis area={area} buckets={buckets} />
    </>
  );
}

function OutcomeTable({ buckets, bucketSeconds }: Props) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Time</th>
          {outcomes.map((name) => (
            <th key={name} scope="col" class="number">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {buckets
          .filter((bucket) => endedIn(bucket) > 0)
          .map((bucket) => (
            <tr key={bucket.at}>
              <td>{nameOf(bucket, bucketSeconds)}</td>
              {outcomes.map((name) => (
                <td key={name} class="number">
                  {count(bucket[name])}
                </td>
              ))}
            </tr>
          ))}
      </tbody>
    </table>
  );
}
