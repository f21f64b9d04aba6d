import type { Board } from '../../client/answers';
import { useFollowed } from '../service/followed';
import { hrefs } from '../service/route';
import { loadStatistics } from '../statistics/load-statistics';
import { Loading, Stale } from '../parts/notices';
import { Tile, Tiles } from '../parts/tiles';
import { count, percent } from '../parts/words';
import { useBoard } from './follow-board';
import { Lanes } from './lanes';
import { Queue, useQueueLength } from './queue';

const everyMilliseconds = 15_000;

/** Who is on the line, who waits, and how it goes. */
export function LiveView() {
  const { shown, more } = useQueueLength();
  const board = useBoard(shown);
  return (
    <>
      <h1 class="for-readers">Live</h1>
      <Stale shown={board} />
      <LiveTiles board={board.value} />
      {board.value ? (
        <div class="live">
          <section aria-labelledby="lanes-title">
            <h2 id="lanes-title">On the line</h2>
            <Lanes slots={board.value.slots} />
          </section>
          <section class="queue-box" aria-labelledby="queue-title">
            <h2 id="queue-title">Queue</h2>
            <div class="queue-scroll">
              <Queue queue={board.value.queue} onMore={more} />
            </div>
          </section>
        </div>
      ) : (
        board.error === undefined && <Loading what="slots and queue" />
      )}
    </>
  );
}

function LiveTiles({ board }: { board: Board | undefined }) {
  const { value: day } = useFollowed(
    {
      load: (signal) => loadStatistics('day', signal),
      concerns: ({ type }) => /^call\.(completed|failed|expired|canceled)$/.test(type),
      gapMilliseconds: 5_000,
      everyMilliseconds,
    },
    [],
  );
  const held = board?.slots.filter(({ line }) => line).length;
  const rate = day?.totals.successRate;
  return (
    <Tiles>
      <Tile
        name="On the line"
        value={held === undefined ? '–' : count(held)}
        note={board && `of ${count(board.limit)} slots`}
      />
      <Tile name="Waiting" value={board ? count(board.queue.total) : '–'} note="in the queue" />
      <Tile
        name="Completed"
        value={day ? count(day.totals.completed) : '–'}
        note={rate === undefined || rate === null ? 'in 24 hours' : `${percent(rate)} in 24 hours`}
        href={hrefs.statistics('day')}
      />
      <Tile
        name="Failed"
        value={day ? count(day.totals.failed) : '–'}
        note="in 24 hours"
        href={hrefs.calls({ status: 'FAILED' })}
      />
    </Tiles>
  );
}
