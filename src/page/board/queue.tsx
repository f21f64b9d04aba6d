import { useSignal } from '@preact/signals';

import type { Board } from '../../client/answers';
import { now } from '../service/clock';
import { hrefs } from '../service/route';
import { Nothing } from '../parts/notices';
import { Ago } from '../parts/time';
import { count, fullTime, roughly } from '../parts/words';

type QueuedCall = Board['queue']['calls'][number];

const reasons: Record<QueuedCall['waitsFor'], string> = {
  START: 'Being started',
  SLOT: 'A free slot',
  BACKOFF: 'Its next attempt',
  NUMBER: 'The number is busy',
  PAUSE: 'Dialling to go on',
};

export interface QueueProps {
  queue: Board['queue'];
  onMore: () => void;
}

/** Who waits, in the order in which they will be served. */
export function Queue({ queue, onMore }: QueueProps) {
  if (queue.total === 0) return <Nothing>Nobody waits.</Nothing>;
  return (
    <>
      <table class="queue">
        <thead>
          <tr>
            <th scope="col" class="number">
              <span aria-hidden="true">#</span>
              <span class="for-readers">Place</span>
            </th>
            <th scope="col">Call</th>
            <th scope="col">Waits for</th>
            <th scope="col">Starts</th>
          </tr>
        </thead>
        <tbody>
          {queue.calls.map((call) => (
            <QueueRow key={call.callId} call={call} />
          ))}
        </tbody>
      </table>
      {queue.nextCursor !== null && (
        <p class="more">
          <span>
            {count(queue.calls.length)} of {count(queue.total)} shown.
          </span>
          <button type="button" onClick={onMore}>
            Show more
          </button>
        </p>
      )}
    </>
  );
}

function QueueRow({ call }: { call: QueuedCall }) {
  return (
    <tr>
      <td class="number">{call.place === null ? '–' : count(call.place)}</td>
      <td>
        <a href={hrefs.call(call.callId)}>{call.to}</a>
        <span class="under">
          {call.scriptId}
          {call.priority !== 3 && ` · priority ${call.priority}`}
          {call.attempt > 1 && ` · attempt ${call.attempt}`}
        </span>
      </td>
      <td>
        {reasons[call.waitsFor]}
        <span class="under">
          since <Ago at={call.since} />
        </span>
      </td>
      <td>
        <Expected at={call.startsAbout} />
      </td>
    </tr>
  );
}

function Expected({ at }: { at: string | null }) {
  if (at === null) return <span class="faint">not known</span>;
  const seconds = (Date.parse(at) - now.value) / 1_000;
  return (
    <time dateTime={at} title={`About ${fullTime(at)}, an estimate`}>
      {seconds < 2 ? 'now' : `in ~${roughly(seconds)}`}
    </time>
  );
}

const pageSize = 50;

/** How much of the queue is shown, and a way to see more. */
export function useQueueLength() {
  const shown = useSignal(pageSize);
  return { shown: shown.value, more: () => (shown.value += pageSize) };
}
