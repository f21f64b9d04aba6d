import type { Attempt, Call, CallEvent } from '../../client/answers';
import { now } from '../service/clock';
import { duration, plain } from '../parts/words';

interface Stretch {
  kind: 'waiting' | 'ended' | 'on-the-line' | 'completed' | 'failed';
  text: string;
  from: number;
  to: number;
}

interface StripProps {
  call: Call;
  attempts: readonly Attempt[];
  events: readonly CallEvent[];
}

/** The call's life to scale: waiting, on the line, waiting … */
export function Strip({ call, attempts, events }: StripProps) {
  const stretches = stretchesOf(call, attempts, events, now.value);
  const [from, to] = [stretches[0]?.from ?? 0, stretches.at(-1)?.to ?? 0];
  if (to <= from) return null;
  return (
    <div class="strip">
      <div class="strip-bar" aria-hidden="true">
        {stretches.map((one) => (
          <span
            key={one.from}
            class={`stretch stretch-${one.kind}`}
            title={`${one.text}, ${duration((one.to - one.from) / 1_000)}`}
            style={{ '--length': (one.to - one.from) / (to - from) }}
          >
            <span>{one.text}</span>
          </span>
        ))}
      </div>
      <p class="strip-legend">
        <span>
          <span class="swatch stretch-waiting" aria-hidden="true" /> waiting
        </span>
        <span>
          <span class="swatch stretch-completed" aria-hidden="true" /> ended well
        </span>
        <span>
          <span class="swatch stretch-failed" aria-hidden="true" /> ended badly
        </span>
        <span>
          <span class="swatch stretch-on-the-line" aria-hidden="true" /> on the line
        </span>
        <span class="strip-whole">{duration((to - from) / 1_000)} in all</span>
      </p>
    </div>
  );
}

/** A call that ended and was retried later has been nothing in between. */
function stretchesOf(call: Call, attempts: readonly Attempt[], events: readonly CallEvent[], present: number) {
  const ends = events.filter(({ type }) => /^call\.(completed|failed|expired|canceled)$/.test(type));
  const restarts = events.filter(({ call: then, type }, index) => {
    const before = events[index - 1]?.type ?? '';
    return type === 'call.updated' && then.status === 'PENDING' && /^call\.(failed|expired|canceled)$/.test(before);
  });
  const stretches: Stretch[] = [];
  let at = Date.parse(call.createdAt);
  const push = (kind: Stretch['kind'], text: string, to: number) => {
    if (to > at) stretches.push({ kind, text, from: at, to });
    at = Math.max(at, to);
  };
  const idleUntil = (moment: number) => {
    const ended = ends.find((event) => Date.parse(event.at) >= at - 1_000 && Date.parse(event.at) < moment);
    const restarted = restarts.find((event) => Date.parse(event.at) > at - 1_000 && Date.parse(event.at) <= moment);
    if (ended && restarted) {
      push('waiting', 'waiting', Date.parse(ended.at));
      push('ended', 'ended', Date.parse(restarted.at));
    }
    push('waiting', 'waiting', moment);
  };
  for (const attempt of attempts) {
    idleUntil(Date.parse(attempt.startedAt));
    const kind = attempt.endedAt === null ? 'on-the-line' : attempt.outcome === 'COMPLETED' ? 'completed' : 'failed';
    const how = attempt.outcome === null ? 'on the line' : plain(attempt.outcome).toLowerCase();
    push(kind, `${attempt.number}: ${how}`, attempt.endedAt === null ? present : Date.parse(attempt.endedAt));
  }
  const end = call.endedAt === null ? present : Date.parse(call.endedAt);
  idleUntil(end);
  return stretches;
}
