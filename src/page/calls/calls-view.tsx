import { useSignal } from '@preact/signals';
import type { TargetedSubmitEvent } from 'preact';

import { callStatuses } from '../../call/call';
import type { CallFilter, CallList, CallStatus } from '../../client/answers';
import { useFollowed } from '../service/followed';
import { goTo, hrefs } from '../service/route';
import { service } from '../service/session';
import { Loading, Nothing, Stale, Trouble } from '../parts/notices';
import { count, statusNames } from '../parts/words';
import { CallTable } from './call-table';
import { readSearch, type Found } from './read-search';

const pageSize = 50;

/** All calls, newest first, and those looked for by number, script or id. */
export function CallsView({ search }: { search: URLSearchParams }) {
  const text = search.get('q') ?? '';
  const status = callStatuses.find((name) => name === search.get('status'));
  const found = readSearch(text);
  return (
    <>
      <div class="heading">
        <h1>Calls</h1>
      </div>
      <Search key={text} text={text} status={status} />
      <nav class="choice" aria-label="Status">
        <a href={hrefs.calls({ q: text })} aria-current={status === undefined ? 'true' : undefined}>
          All
        </a>
        {callStatuses.map((name) => (
          <a
            key={name}
            href={hrefs.calls({ q: text, status: name })}
            aria-current={name === status ? 'true' : undefined}
          >
            {statusNames[name]}
          </a>
        ))}
      </nav>
      <FoundCalls key={`${text} ${status ?? ''}`} found={found} status={status} />
    </>
  );
}

function Search({ text, status }: { text: string; status: CallStatus | undefined }) {
  const search = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget).get('q');
    const wanted = typeof given === 'string' ? given.trim() : '';
    const found = readSearch(wanted);
    goTo(found.kind === 'id' ? hrefs.call(found.id) : hrefs.calls({ q: wanted, status: status ?? '' }));
  };
  return (
    <form class="search" role="search" onSubmit={search}>
      <label for="search" class="for-readers">
        Number, script or id
      </label>
      <input
        id="search"
        type="search"
        name="q"
        defaultValue={text}
        placeholder="Number, script or id"
        autocomplete="off"
        spellcheck={false}
      />
      <button type="submit">Search</button>
    </form>
  );
}

function FoundCalls({ found, status }: { found: Found; status: CallStatus | undefined }) {
  const shown = useSignal(pageSize);
  const filter = { ...found.filter, status };
  const list = useFollowed(
    {
      load: (signal) => loadCalls(filter, shown.value, signal),
      concerns: () => true,
      gapMilliseconds: 2_000,
      everyMilliseconds: 15_000,
    },
    [shown.value],
  );
  const { value, error } = list;
  if (!value) return error === undefined ? <Loading what="calls" /> : <Trouble error={error} />;
  return (
    <>
      <Stale shown={list} />
      <p class="found">
        {count(value.total)} {value.total === 1 ? 'call' : 'calls'}
        {found.meant !== undefined && ` ${found.meant}`}
        {status !== undefined && `, ${statusNames[status].toLowerCase()}`}
      </p>
      {value.calls.length === 0 ? <Nothing>There is no such call.</Nothing> : <CallTable calls={value.calls} />}
      {value.nextCursor !== null && (
        <p class="more">
          <span>{count(value.calls.length)} shown.</span>
          <button type="button" onClick={() => (shown.value += pageSize)}>
            Show more
          </button>
        </p>
      )}
    </>
  );
}

async function loadCalls(filter: CallFilter, length: number, signal: AbortSignal): Promise<CallList> {
  const list = await service.value.list({ ...filter, limit: Math.min(length, 100) }, { signal });
  while (list.calls.length < length && list.nextCursor !== null) {
    const limit = Math.min(length - list.calls.length, 100);
    const next = await service.value.list({ ...filter, limit, cursor: list.nextCursor }, { signal });
    list.calls.push(...next.calls);
    list.nextCursor = next.nextCursor;
  }
  return list;
}
