import { useSignal } from '@preact/signals';

import type { Statistics } from '../../client/answers';
import { count, roughly } from '../parts/words';
import { Chart, ticksUpTo, VerticalAxis, type Area } from './chart';
import { indexAt } from './time-axis';

type Distribution = Statistics['durations'];
type Bin = Distribution['bins'][number];

interface Props {
  title: string;
  /** What is counted. */
  what: string;
  distribution: Distribution;
}

const nameOf = ({ from, to }: Bin) =>
  to === null ? `${roughly(from)} or longer` : `${roughly(from)} – ${roughly(to)}`;

/** How many took how long. */
export function Histogram({ title, what, distribution: { bins, median, p95 } }: Props) {
  const pointed = useSignal<number | undefined>(undefined);
  const bin = pointed.value === undefined ? undefined : bins[pointed.value];
  const middle =
    median === null || p95 === null ? 'nothing yet' : `half within ${roughly(median)}, 95 % within ${roughly(p95)}`;
  return (
    <Chart
      title={title}
      summary={`Columns by length, of ${what}: ${middle}.`}
      height={200}
      legend={`${count(bins.reduce((sum, one) => sum + one.count, 0))} ${what}: ${middle}`}
      readout={bin && `${nameOf(bin)}: ${count(bin.count)} ${what}`}
      onPoint={(share) => (pointed.value = indexAt(share, bins.length))}
      draw={(area) => <Bins area={area} bins={bins} pointed={pointed.value} />}
      table={
        <table>
          <thead>
            <tr>
              <th scope="col">Length</th>
              <th scope="col" class="number">
                Count
              </th>
            </tr>
          </thead>
          <tbody>
            {bins.map((one) => (
              <tr key={one.from}>
                <td>{nameOf(one)}</td>
                <td class="number">{count(one.count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      }
    />
  );
}

const labelWidth = 52;

function Bins({ area, bins, pointed }: { area: Area; bins: readonly Bin[]; pointed: number | undefined }) {
  const ticks = ticksUpTo(Math.max(0, ...bins.map((bin) => bin.count)));
  const perOne = (area.bottom - area.top) / (ticks.at(-1) ?? 1);
  const width = (area.right - area.left) / Math.max(1, bins.length);
  const every = Math.max(1, Math.ceil(labelWidth / width));
  return (
    <>
      <VerticalAxis area={area} ticks={ticks} label={count} />
      {bins.map((bin, index) => (
        <rect
          key={bin.from}
          class={`fill-length${pointed === index ? ' is-pointed' : ''}`}
          x={area.left + index * width + 1}
          y={area.bottom - bin.count * perOne}
          width={Math.max(1, width - 2)}
          height={bin.count * perOne}
        />
      ))}
      <g class="axis">
        {bins.map((bin, index) =>
          index % every === 0 ? (
            <text key={bin.from} x={area.left + index * width} y={area.bottom + 16}>
              {roughly(bin.from)}
            </text>
          ) : null,
        )}
      </g>
    </>
  );
}
