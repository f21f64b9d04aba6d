import { CallsApiError } from '../../client/errors';
import { useFollowed } from '../service/followed';
import { hrefs } from '../service/route';
import { workflowUrl } from '../service/temporal';
import { Loading, Stale, Trouble } from '../parts/notices';
import { Status } from '../parts/status';
import { Actions } from './actions';
import { Deliveries } from './deliveries';
import { Facts } from './facts';
import { loadStory } from './load-story';
import { OutgoingEvents } from './outgoing-events';
import { Reports } from './reports';
import { Strip } from './strip';
import { Timeline } from './timeline';

/** Everything there is to know of one call, and what can be done to it. */
export function CallView({ id }: { id: string }) {
  const shown = useFollowed(
    {
      load: (signal) => loadStory(id, signal),
      concerns: ({ callId }) => callId === id,
      gapMilliseconds: 500,
      everyMilliseconds: 10_000,
    },
    [id],
  );
  const { value, error, look } = shown;
  if (!value) {
    if (error === undefined) return <Loading what="the call" />;
    return <NotThere id={id} error={error} />;
  }
  const { call, attempts, events, reports, deliveries } = value;
  return (
    <>
      <Stale shown={shown} />
      <div class="heading">
        <h1>
          {call.payload.to} <Status status={call.status} />
        </h1>
        <Actions call={call} onDone={look} />
      </div>
      <p class="links">
        <code>{call.id}</code>
        <a href={workflowUrl(call.id)} rel="noreferrer" target="_blank">
          Workflow in Temporal<span class="for-readers"> (another window)</span>
        </a>
      </p>
      <Facts call={call} />
      <Strip call={call} attempts={attempts} events={events} />
      <div class="story">
        <Timeline events={events} reports={reports} attempts={attempts} />
        <div>
          <Reports reports={reports} attempts={attempts} />
          <OutgoingEvents events={events} />
          <Deliveries deliveries={deliveries} onDone={look} />
        </div>
      </div>
    </>
  );
}

function NotThere({ id, error }: { id: string; error: unknown }) {
  const isUnknown = error instanceof CallsApiError && (error.status === 404 || error.status === 400);
  return (
    <>
      <h1>{isUnknown ? 'There is no such call' : 'The call cannot be shown'}</h1>
      {isUnknown ? (
        <p>
          Nothing is known of <code>{id}</code>. <a href={hrefs.calls()}>Look for another</a>
        </p>
      ) : (
        <Trouble error={error} />
      )}
    </>
  );
}
