import type { Attempt, CallEvent, ProviderReport } from '../../client/answers';
import { Moment } from '../parts/time';
import { duration, plain } from '../parts/words';

interface Entry {
  key: string;
  at: string;
  kind: 'good' | 'bad' | 'begun' | 'other' | 'report';
  title: string;
  detail: string | undefined;
}

interface TimelineProps {
  events: readonly CallEvent[];
  reports: readonly ProviderReport[];
  attempts: readonly Attempt[];
}

/** What happened, oldest first: our events, and the provider's reports where they came in. */
export function Timeline({ events, reports, attempts }: TimelineProps) {
  const numbers = new Map(attempts.map(({ id, number }) => [id, number]));
  // A report before what it brings about: both may be of the same moment.
  const entries = [...reports.map((report) => entryOfReport(report, numbers)), ...events.map(entryOfEvent)].sort(
    (one, other) => Date.parse(one.at) - Date.parse(other.at),
  );
  return (
    <section aria-labelledby="timeline-title">
      <h2 id="timeline-title">Timeline</h2>
      <ol class="timeline">
        {entries.map(({ key, at, kind, title, detail }) => (
          <li key={key} class={`timeline-${kind}`}>
            <Moment at={at} />
            <div>
              <strong>{title}</strong>
              {detail !== undefined && <span class="under">{detail}</span>}
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

function entryOfEvent(event: CallEvent): Entry {
  return { key: event.eventId, at: event.at, ...wordsOf(event) };
}

const endings = {
  'call.completed': { kind: 'good', title: 'Completed' },
  'call.failed': { kind: 'bad', title: 'Failed' },
  'call.expired': { kind: 'bad', title: 'Expired' },
  'call.canceled': { kind: 'other', title: 'Canceled' },
} as const;

function wordsOf({ type, call, attempt, reason }: CallEvent): Pick<Entry, 'kind' | 'title' | 'detail'> {
  switch (type) {
    case 'call.accepted':
      return { kind: 'other', title: 'Accepted', detail: undefined };
    case 'call.updated':
      return { kind: 'other', title: 'Changed', detail: reason === undefined ? undefined : plain(reason) };
    case 'attempt.started':
      return {
        kind: 'begun',
        title: `Attempt ${attempt?.number ?? ''} begins`,
        detail: attempt && `on slot ${attempt.slot}`,
      };
    case 'attempt.ended': {
      const isGood = attempt?.outcome === 'COMPLETED';
      const next = call.nextAttemptAt === null ? undefined : `next attempt planned`;
      const details = [attempt?.failureReason ?? undefined, lastedOf(attempt), next].filter((one) => one !== undefined);
      return {
        kind: isGood ? 'good' : 'bad',
        title: `Attempt ${attempt?.number ?? ''} ended: ${plain(attempt?.outcome ?? 'unknown').toLowerCase()}`,
        detail: details.length === 0 ? undefined : details.join(', '),
      };
    }
    case 'call.rejected':
      return { kind: 'bad', title: 'Rejected', detail: reason };
    default:
      return { ...endings[type], detail: type === 'call.completed' ? undefined : (call.lastError ?? undefined) };
  }
}

function lastedOf(attempt: Attempt | undefined): string | undefined {
  if (!attempt?.endedAt) return undefined;
  return `slot held for ${duration((Date.parse(attempt.endedAt) - Date.parse(attempt.startedAt)) / 1_000)}`;
}

function entryOfReport(report: ProviderReport, numbers: ReadonlyMap<string, number>): Entry {
  const attempt = numbers.get(report.attemptId);
  const details = [
    report.failureReason ?? undefined,
    report.durationSec === null ? undefined : `${report.durationSec} s of talk`,
    attempt === undefined ? undefined : `of attempt ${attempt}`,
  ];
  return {
    key: `${report.externalCallId} ${report.status}`,
    at: report.receivedAt,
    kind: 'report',
    title: `Provider reports: ${plain(report.status).toLowerCase()}`,
    detail: details.filter((one) => one !== undefined).join(', '),
  };
}
