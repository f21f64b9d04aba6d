import { pickFreePorts } from '../../infra/tcp-port';
import { limitOf, ours, type Measure } from '../book';
import type { Child } from '../children';
import type { Figure } from '../figure';
import { Service } from '../service';
import { quantile } from '../spread';
import { query, type Stage } from '../stage';
import { runLoad, watchCores } from '../systems';

const figure = 'list';
const pageSize = 50;
const walkedAtOnce = 100;

/** Each has at least as many matches as the farthest page needs. */
const filters = [
  '',
  'status=COMPLETED',
  'status=FAILED&scriptId=script-3',
  'scriptId=script-1',
  'metadata.customer=7',
  `createdAfter=${daysAgo(20)}`,
];

interface Sizes {
  calls: number;
  farthestPage: number;
  requests: number;
}

const full: Sizes = { calls: 1_000_000, farthestPage: 1_000, requests: 300 };
const small: Sizes = { calls: 20_000, farthestPage: 10, requests: 30 };

let service: Service | undefined;
let farthest: string[] = [];
let bare: { origin: string; child: Child } | undefined;

/** Whether a list stays quick, however many calls there are and however far one reads. */
export const list: Figure = {
  name: figure,
  about: `GET /calls with filters, first and 1,000th page of ${pageSize}, one request at a time`,
  prepare: async (stage) => {
    const sizes = stage.quick ? small : full;
    const opened = await Service.open(stage);
    service = opened;
    stage.say(`list: writing ${sizes.calls.toLocaleString('en')} calls`);
    await fill(opened.databaseUrl, sizes.calls);
    await opened.start('api');
    farthest = await Promise.all(filters.map((filter) => cursorBefore(opened, filter, sizes.farthestPage)));
    bare = await startBare(stage, opened.databaseUrl);
    return async () => {
      await bare?.child.stop();
      await opened.close();
    };
  },
  round: async (stage, book, round) => {
    const { calls, farthestPage } = stage.quick ? small : full;
    const { urls = [], pids = {} } = service ?? {};
    const page = (filter: string, cursor = ''): string => `/calls?${[filter, size, cursor].filter(Boolean).join('&')}`;
    const before = `before=${calls + 1 - (farthestPage - 1) * pageSize}`;
    const pages = [
      { what: 'first page', paths: filters.map((filter) => page(filter)), bare: `/?${size}` },
      {
        what: '1,000th page',
        paths: filters.map((filter, index) => page(filter, `cursor=${farthest[index]}`)),
        bare: `/?${size}&${before}`,
      },
    ];
    for (const { what, paths, bare: barePath } of pages) {
      const measure: Measure = {
        figure,
        what: `${what}, p99 of the slowest filter`,
        unit: 'ms',
        better: 'less',
        target: 30,
        // Where the machine's own tail is longer: four fifths as fast as it.
        targetOfLimit: 1.25,
      };
      const taken = watchCores(stage, pids);
      const each = await timesOf(stage, urls, paths);
      book.add(measure, ours, Math.max(...each.map(({ p99 }) => p99)));
      book.note(figure, round, ours, `${what}, p50/p99 in ms: ${each.map(told).join(', ')}; ${taken()}`);
      const least = await timesOf(stage, bare ? [bare.origin] : [], [barePath]);
      for (const { p99 } of least) book.add(measure, limitOf('HTTP and one select'), p99);
      book.note(figure, round, 'bare', `${what}, p50/p99 in ms: ${least.map(told).join(', ')}`);
    }
  },
};

const size = `limit=${pageSize}`;

interface Times {
  path: string;
  p50: number;
  p99: number;
}

/** Each path by itself, so that the worst of them is seen. */
async function timesOf(stage: Stage, origins: string[], paths: readonly string[]): Promise<Times[]> {
  const { requests } = stage.quick ? small : full;
  const times: Times[] = [];
  for (const path of paths) {
    const { latencies } = await runLoad(stage, { origins, connections: 1, send: { paths: [path] }, count: requests });
    times.push({ path, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) });
  }
  return times;
}

const told = ({ path, p50, p99 }: Times): string => `${path} ${p50.toFixed(1)}/${p99.toFixed(1)}`;

async function startBare(stage: Stage, databaseUrl: string): Promise<{ origin: string; child: Child }> {
  const [port = 0] = await pickFreePorts(1);
  const env = { DATABASE_URL: databaseUrl, PORT: String(port) };
  const child = await stage.children.startReady({ name: 'bare-list', script: 'bench/limits/bare-list.js', env });
  return { origin: `http://127.0.0.1:${port}`, child };
}

/** Ended calls, as they come to be: most went well, over a month, by five scripts for ten customers. */
async function fill(url: string, calls: number): Promise<void> {
  const atOnce = 100_000;
  for (let from = 1; from <= calls; from += atOnce) {
    const to = Math.min(from + atOnce - 1, calls);
    await query(
      url,
      `insert into calls (id, to_number, script_id, metadata, status, attempts, max_attempts, created_at, started_at,
                          ended_at, expires_at)
       select gen_random_uuid(), '+9665' || lpad(n::text, 8, '0'), 'script-' || n % 5,
              jsonb_build_object('customer', n / 5 % 10), case when n / 7 % 10 < 7 then 'COMPLETED' else 'FAILED' end,
              1, 3, at, at + interval '10 s', at + interval '30 s', at + interval '1 day'
         from (select n, now() - (${calls} - n) * interval '30 days' / ${calls} as at
                 from generate_series(${from}, ${to}) as n) as spread`,
    );
  }
  await query(url, 'vacuum analyze calls');
}

/** Reads the list up to the page. @returns its cursor */
async function cursorBefore(opened: Service, filter: string, page: number): Promise<string> {
  let cursor = '';
  for (let passed = 0; passed < (page - 1) * pageSize; passed += walkedAtOnce) {
    const limit = Math.min(walkedAtOnce, (page - 1) * pageSize - passed);
    const asked = `${filter}&limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const { nextCursor } = await opened.ask<{ nextCursor: string | null }>(`/calls?${asked}`);
    if (nextCursor === null) throw new Error(`GET /calls?${filter} has no page ${page}`);
    cursor = nextCursor;
  }
  return cursor;
}

function daysAgo(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString();
}
