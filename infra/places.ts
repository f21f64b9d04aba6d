import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { ServiceName } from './services/backing-service';

/** Where things lie: the data in the checkout, what can be built again in the user's cache. */
export interface Places {
  checkout: string;
  data: string;
  logs: string;
  run: string;
  cache: string;
}

/** @param dataDirectory relative to the checkout */
export function placesFor(dataDirectory = '.data'): Places {
  const checkout = checkoutDirectory();
  const data = resolve(checkout, dataDirectory);
  const xdgCache = process.env['XDG_CACHE_HOME'] ?? '';
  const userCache = isAbsolute(xdgCache) ? xdgCache : join(homedir(), '.cache');
  return {
    checkout,
    data,
    logs: join(data, 'logs'),
    run: join(data, 'run'),
    cache: join(userCache, 'call-orchestrator'),
  };
}

export function logFile(places: Places, name: ServiceName): string {
  return join(places.logs, `${name}.log`);
}

export function recordFile(places: Places, name: ServiceName): string {
  return join(places.run, `${name}.json`);
}

/** As short as a person at the terminal would write it. */
export function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}

function checkoutDirectory(): string {
  let directory = __dirname;
  // Not package.json, of which the build keeps a copy for the version that it names.
  while (!existsSync(join(directory, 'package-lock.json'))) directory = dirname(directory);
  return directory;
}
