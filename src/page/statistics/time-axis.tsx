import type { Statistics } from '../../client/answers';
import type { Area } from './chart';

export type Bucket = Statistics['buckets'][number];

const timeOfDay = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dayOfMonth = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const both = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

const labelWidth = 76;

/** The beginning of each bucket that there is room to name. */
export function TimeAxis({ area, buckets }: { area: Area; buckets: readonly Bucket[] }) {
  const width = (area.right - area.left) / Math.max(1, buckets.length);
  const every = Math.max(1, Math.ceil(labelWidth / width));
  const spansDays = spanSeconds(buckets) > 2 * 86_400;
  return (
    <g class="axis">
      {buckets.map(({ at }, index) =>
        index % every === 0 && area.left + index * width + labelWidth / 2 < area.right ? (
          <text key={at} x={area.left + index * width} y={area.bottom + 16}>
            {(spansDays ? dayOfMonth : timeOfDay).format(new Date(at))}
          </text>
        ) : null,
      )}
    </g>
  );
}

function spanSeconds(buckets: readonly Bucket[]): number {
  const [first, last] = [buckets[0], buckets.at(-1)];
  return first && last ? (Date.parse(last.at) - Date.parse(first.at)) / 1_000 : 0;
}

/** `21 Nov, 14:00 – 14:15` */
export function nameOf({ at }: Bucket, bucketSeconds: number): string {
  const end = new Date(Date.parse(at) + bucketSeconds * 1_000);
  return `${both.format(new Date(at))} – ${(bucketSeconds >= 86_400 ? both : timeOfDay).format(end)}`;
}

export const indexAt = (share: number | undefined, length: number): number | undefined =>
  share === undefined ? undefined : Math.min(length - 1, Math.floor(share * length));
