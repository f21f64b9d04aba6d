import { now } from '../service/clock';
import { duration, fullTime, roughly, shortTime } from './words';

/** A moment: the time of day, with the whole on hovering. */
export function Moment({ at }: { at: string }) {
  return (
    <time dateTime={at} title={fullTime(at)}>
      {shortTime(at, now.value)}
    </time>
  );
}

/** How long something has lasted, growing by the second. */
export function Lasting({ since }: { since: string }) {
  return <span class="timer">{duration((now.value - Date.parse(since)) / 1_000)}</span>;
}

/** `12 min ago`, `in 12 min`. */
export function Ago({ at }: { at: string }) {
  const seconds = (now.value - Date.parse(at)) / 1_000;
  const text = Math.abs(seconds) < 1 ? 'now' : seconds > 0 ? `${roughly(seconds)} ago` : `in ${roughly(seconds)}`;
  return (
    <time dateTime={at} title={fullTime(at)}>
      {text}
    </time>
  );
}
