import type { CallEvent } from '../../client/answers';
import { Moment } from '../parts/time';

/** The messages on `calls.events`, as they are sent. */
export function OutgoingEvents({ events }: { events: readonly CallEvent[] }) {
  return (
    <section aria-labelledby="events-title">
      <h2 id="events-title">Outgoing events</h2>
      <ul class="events">
        {events.map((event) => (
          <li key={event.eventId}>
            <details>
              <summary>
                <span class="number">{event.sequence}</span> <code>{event.type}</code> <Moment at={event.at} />
              </summary>
              <pre tabIndex={0} role="region" aria-label={`Event ${event.sequence}`}>
                {JSON.stringify(event, undefined, 2)}
              </pre>
            </details>
          </li>
        ))}
      </ul>
    </section>
  );
}
