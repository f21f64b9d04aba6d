import { signal } from '@preact/signals';

export type Route =
  | { view: 'live' }
  | { view: 'calls'; search: URLSearchParams }
  | { view: 'call'; id: string }
  | { view: 'statistics'; search: URLSearchParams }
  | { view: 'add' }
  | { view: 'nowhere' };

export const route = signal(routeOf(location.hash));

window.addEventListener('hashchange', () => {
  route.value = routeOf(location.hash);
});

function routeOf(hash: string): Route {
  const [path = '', query] = hash.replace(/^#/, '').split('?');
  const search = new URLSearchParams(query);
  const id = /^\/calls\/([^/]+)$/.exec(path)?.[1];
  if (id !== undefined) return { view: 'call', id: decodeURIComponent(id) };
  switch (path) {
    case '':
    case '/':
      return { view: 'live' };
    case '/calls':
      return { view: 'calls', search };
    case '/statistics':
      return { view: 'statistics', search };
    case '/add':
      return { view: 'add' };
    default:
      return { view: 'nowhere' };
  }
}

export const hrefs = {
  live: '#/',
  statistics: (range?: string) => `#/statistics${range === undefined ? '' : `?range=${range}`}`,
  add: '#/add',
  call: (id: string) => `#/calls/${encodeURIComponent(id)}`,
  calls: (search: Record<string, string> = {}) => {
    const given = Object.entries(search).filter(([, value]) => value !== '');
    return given.length === 0 ? '#/calls' : `#/calls?${new URLSearchParams(given).toString()}`;
  },
};

export function goTo(href: string): void {
  location.hash = href.slice(1);
}
