import type { Board } from '../../client/answers';
import { learnTime } from '../service/clock';
import { useFollowed, type Shown } from '../service/followed';
import { service } from '../service/session';

const mostAtOnce = 200;

/** The board as it is now. @param length how much of the queue to ask for */
export function useBoard(length: number): Shown<Board> & { look: () => void } {
  return useFollowed(
    {
      load: (signal) => loadBoard(length, signal),
      concerns: ({ type }) => type !== 'call.rejected',
      gapMilliseconds: 500,
      everyMilliseconds: 5_000,
    },
    [length],
  );
}

async function loadBoard(length: number, signal: AbortSignal): Promise<Board> {
  const board = await service.value.board({ limit: Math.min(length, mostAtOnce) }, { signal });
  learnTime(board.at);
  const { queue } = board;
  while (queue.calls.length < length && queue.nextCursor !== null) {
    const limit = Math.min(length - queue.calls.length, mostAtOnce);
    const next = await service.value.board({ limit, cursor: queue.nextCursor }, { signal });
    // Who moved up meanwhile is on both pages.
    const known = new Set(queue.calls.map(({ callId }) => callId));
    queue.calls.push(...next.queue.calls.filter(({ callId }) => !known.has(callId)));
    queue.nextCursor = next.queue.nextCursor;
    if (next.queue.calls.length === 0) break;
  }
  return board;
}
