import type { Board } from '../../client/answers';
import { now } from '../service/clock';
import { hrefs } from '../service/route';
import { Lasting } from '../parts/time';
import { duration } from '../parts/words';

type Line = NonNullable<Board['slots'][number]['line']>;

const scales = [30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200];

const states = {
  DIALLING: 'Dialling',
  ON_THE_LINE: 'On the line',
  HANGING_UP: 'Hanging up',
} as const satisfies Record<Line['state'], string>;

/** Every slot a lane: who is on it, which attempt, and for how long, by the bar behind. */
export function Lanes({ slots }: Pick<Board, 'slots'>) {
  const lasting = slots.map(({ line }) => (line ? (now.value - Date.parse(line.since)) / 1_000 : 0));
  const longest = Math.max(0, ...lasting);
  const scale = scales.find((seconds) => seconds >= longest) ?? longest;
  return (
    <>
      <p class="lanes-legend">
        {Object.entries(states).map(([state, name]) => (
          <span key={state}>
            <span class={`lamp lamp-${state.toLowerCase()}`} aria-hidden="true" /> {name}
          </span>
        ))}
        <span class="lanes-scale">A full bar is {duration(scale)}</span>
      </p>
      <ol class="lanes" aria-label="Slots">
        {slots.map(({ slot, line }, index) => (
          <Lane key={slot} slot={slot} line={line} share={(lasting[index] ?? 0) / scale} />
        ))}
      </ol>
    </>
  );
}

function Lane({ slot, line, share }: { slot: number; line: Line | null; share: number }) {
  if (!line) {
    return (
      <li class="lane lane-free">
        <span class="lane-slot">
          <span class="for-readers">Slot </span>
          {slot}
        </span>
        <span class="lane-who">free</span>
      </li>
    );
  }
  const state = line.state.toLowerCase();
  return (
    <li class={`lane lane-${state}`} style={{ '--share': Math.min(1, share) }}>
      <span class="lane-slot">
        <span class="for-readers">Slot </span>
        {slot}
      </span>
      <span class={`lamp lamp-${state}`} title={states[line.state]} aria-hidden="true" />
      <span class="for-readers">{states[line.state]}</span>
      <span class="lane-who">
        <a href={hrefs.call(line.callId)}>{line.to}</a> <span class="lane-script">{line.scriptId}</span>
      </span>
      <span class="lane-attempt" title={`Attempt ${line.attempt} of ${line.maxAttempts}`}>
        <span class="for-readers">attempt </span>
        {line.attempt}/{line.maxAttempts}
      </span>
      <Lasting since={line.since} />
    </li>
  );
}
