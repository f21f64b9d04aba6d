import { useEffect, useRef } from 'preact/hooks';

import { AddView } from './add/add-view';
import { LiveView } from './board/live-view';
import { CallView } from './call/call-view';
import { CallsView } from './calls/calls-view';
import { Told } from './parts/notices';
import { hrefs, route, type Route } from './service/route';
import { forgetKey, hasKey, keyAskedFor } from './service/session';
import { connection } from './service/stream';
import { theme, themes } from './service/theme';
import { KeyForm } from './shell/key-form';
import { PauseBanner, PauseSwitch, useControl } from './shell/pause';
import { StatisticsView } from './statistics/statistics-view';

const titles: Record<Route['view'], string> = {
  live: 'Live',
  calls: 'Calls',
  call: 'Call',
  statistics: 'Statistics',
  add: 'Add calls',
  nowhere: 'Not found',
};

export function App() {
  const { view } = route.value;
  const main = useMovedFocus();
  useEffect(() => {
    document.title = `${titles[view]} · Calls`;
  }, [view]);
  if (keyAskedFor.value !== undefined) return <KeyForm reason={keyAskedFor.value} />;
  return <Shell main={main} />;
}

function Shell({ main }: { main: ReturnType<typeof useMovedFocus> }) {
  const control = useControl();
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        To the content
      </a>
      <header>
        <a class="brand" href={hrefs.live}>
          <Mark /> Calls
        </a>
        <Navigation />
        <div class="tools">
          <Connection />
          {control && <PauseSwitch control={control} />}
          <ThemeButton />
          {hasKey.value && (
            <button type="button" class="quiet" onClick={forgetKey}>
              Sign out
            </button>
          )}
        </div>
      </header>
      {control && <PauseBanner control={control} />}
      <main id="main" ref={main} tabIndex={-1}>
        <View />
      </main>
      <Told />
    </>
  );
}

function View() {
  const at = route.value;
  switch (at.view) {
    case 'live':
      return <LiveView />;
    case 'calls':
      return <CallsView search={at.search} />;
    case 'call':
      return <CallView key={at.id} id={at.id} />;
    case 'statistics':
      return <StatisticsView search={at.search} />;
    case 'add':
      return <AddView />;
    case 'nowhere':
      return (
        <>
          <h1>There is nothing here</h1>
          <p>
            <a href={hrefs.live}>See what is on the line</a>
          </p>
        </>
      );
  }
}

/** What is new begins there, for those who read by ear or go by keys; not at the first view, where they are anyway. */
function useMovedFocus() {
  const main = useRef<HTMLElement>(null);
  const at = route.value;
  const place = at.view === 'call' ? at.id : at.view;
  const before = useRef(place);
  useEffect(() => {
    if (before.current === place) return;
    before.current = place;
    main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [place]);
  return main;
}

function Navigation() {
  const { view } = route.value;
  const links: [string, string, Route['view'][]][] = [
    ['Live', hrefs.live, ['live']],
    ['Calls', hrefs.calls(), ['calls', 'call']],
    ['Statistics', hrefs.statistics(), ['statistics']],
    ['Add', hrefs.add, ['add']],
  ];
  return (
    <nav aria-label="Views">
      {links.map(([name, href, views]) => (
        <a key={name} href={href} aria-current={views.includes(view) ? 'page' : undefined}>
          {name}
        </a>
      ))}
    </nav>
  );
}

const connections = {
  connecting: 'Connecting',
  live: 'Live',
  interrupted: 'Interrupted',
  hidden: 'Paused while hidden',
} as const;

function Connection() {
  return (
    <span class={`connection connection-${connection.value}`} role="status">
      {connections[connection.value]}
    </span>
  );
}

const themeNames = { auto: 'as the system', light: 'light', dark: 'dark' } as const;

function ThemeButton() {
  const next = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? 'auto';
  return (
    <button
      type="button"
      class="quiet"
      title={`Colours: ${themeNames[theme.value]}; next: ${themeNames[next]}`}
      onClick={() => (theme.value = next)}
    >
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        <circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" stroke-width="1.5" />
        <path d="M8 1.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" />
      </svg>
      <span class="for-readers">Colours: {themeNames[theme.value]}</span>
    </button>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" class="mark">
      <rect width="32" height="32" rx="8" />
      <g>
        <rect x="6" y="8" width="14" height="4" rx="2" />
        <rect x="6" y="14" width="20" height="4" rx="2" />
        <rect x="6" y="20" width="9" height="4" rx="2" />
      </g>
    </svg>
  );
}
