import { ours, type Measure } from '../book';
import type { Figure } from '../figure';
import { Service } from '../service';
import { quantile } from '../spread';
import { query } from '../stage';
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
    farthest = await Promise.all(filters.map((filter) => cursorBefore(opened.url, filter, sizes.farthestPage)));
    return () => opened.close();
  },
  round: async (stage, book, round) => {
    const { requests } = stage.quick ? small : full;
    const { urls = [], pids = {} } = service ?? {};
    const page = (filter: string, index: number): string =>
      `/calls?${[filter, `limit=${pageSize}`, farthest[index] ? `cursor=${farthest[index]}` : ''].filter(Boolean).join('&')}`;
    const pages = {
      'first page': filters.map((filter) => `/calls?${[filter, `limit=${pageSize}`].filter(Boolean).join('&')}`),
      '1,000th page': filters.map(page),
    };
    for (const [what, paths] of Object.entries(pages)) {
      const taken = watchCores(stage, pids);
      // Each filter by itself: the worst of them is the figure.
      const slowest = [];
      for (const path of paths) {
        const { latencies } = await runLoad(stage, {
          origins: urls,
          connections: 1,
          send: { paths: [path] },
          count: requests,
        });
        slowest.push({ path, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) });
      }
      const measure: Measure = {
        figure,
        what: `${what}, p99 of the slowest filter`,
        unit: 'ms',
        better: 'less',
        target: 30,
      };
      book.add(measure, ours, Math.max(...slowest.map(({ p99 }) => p99)));
      const each = slowest.map(({ path, p50, p99 }) => `${path} ${p50.toFixed(1)}/${p99.toFixed(1)}`);
      book.note(figure, round, ours, `${what}, p50/p99 in ms: ${each.join(', ')}; ${taken()}`);
    }
  },
};

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
async function cursorBefore(url: string, filter: string, page: number): Promise<string> {
  let cursor = '';
  for (let passed = 0; passed < (page - 1) * pageSize; passed += walkedAtOnce) {
    const limit = Math.min(walkedAtOnce, (page - 1) * pageSize - passed);
    const response = await fetch(`${url}/calls?${filter}&limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`);
    const { nextCursor } = (await response.json()) as { nextCursor: string | null };
    if (nextCursor === null) throw new Error(`GET /calls?${filter} has no page ${page}`);
    cursor = nextCursor;
  }
  return cursor;
}

function daysAgo(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString();
}
