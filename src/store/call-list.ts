import { sql, type Expression, type SqlBool } from 'kysely';

import type { CallStatus } from '../call/call';
import type { CallRow, Database } from './database';

/** Which calls; what is left out does not matter. */
export interface CallFilter {
  /** One of these. */
  status?: readonly CallStatus[] | undefined;
  to?: string | undefined;
  scriptId?: string | undefined;
  createdAfter?: Date | undefined;
  /** At this time itself no more. */
  createdBefore?: Date | undefined;
  /** Values by top-level name: the string, or the number or boolean of that text. */
  metadata?: Readonly<Record<string, string>> | undefined;
}

export interface CallPage {
  rows: CallRow[];
  /** `seq` of the last row where more follow. */
  nextSeq: number | null;
}

/**
 * So few are found by what they match and then sorted; more are looked for along the list, where the next is never far.
 * Left to itself PostgreSQL takes any number of matches for spread evenly, and passes by a million calls in search of
 * a hundred that are old.
 */
const fewEnoughToSort = 20_000;

/**
 * Newest first. `afterSeq` continues a list without counting through what came before; else `offset` does.
 *
 * @param total about how many match
 */
export async function listCalls(
  db: Database,
  filter: CallFilter,
  {
    limit,
    total,
    offset = 0,
    afterSeq,
  }: { limit: number; total: number; offset?: number; afterSeq?: number | undefined },
): Promise<CallPage> {
  const conditions = [...conditionsOf(filter), ...boundsOfTime(filter)];
  if (afterSeq !== undefined) conditions.push(sql`seq < ${afterSeq}`);
  const matching = db.selectFrom('calls').where((eb) => eb.and(conditions));
  const isFiltered = Object.values(filter).some((condition) => condition !== undefined);
  const rows =
    isFiltered && total <= fewEnoughToSort
      ? await db
          .with(
            (cte) => cte('found').materialized(),
            () => matching.select('seq'),
          )
          .selectFrom('calls')
          .selectAll()
          .where('seq', 'in', (eb) =>
            eb
              .selectFrom('found')
              .select('seq')
              .orderBy('seq', 'desc')
              .limit(limit + 1)
              .offset(offset),
          )
          .orderBy('seq', 'desc')
          .execute()
      : await matching
          .selectAll()
          .orderBy('seq', 'desc')
          .limit(limit + 1)
          .offset(offset)
          .execute();
  const shown = rows.slice(0, limit);
  return { rows: shown, nextSeq: rows.length > limit ? (shown.at(-1)?.seq ?? null) : null };
}

/** How many calls match. */
async function countMatches(db: Database, filter: CallFilter): Promise<number> {
  const { count } = await db
    .selectFrom('calls')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where((eb) => eb.and(conditionsOf(filter)))
    .executeTakeFirstOrThrow();
  return count;
}

const manyMatches = 10_000;
const freshForTimes = 20;
const givenOutForTimes = 40;
const givenOutForMilliseconds = 30_000;
const countsKept = 200;

interface KeptCount {
  total: number;
  countedAt: number;
  tookMilliseconds: number;
}

/**
 * Counts the calls that match. A count of many costs as much as it has calls to visit, page after page of one list, where
 * the page itself costs next to nothing: so it is kept, and one that is no longer fresh is given out once more while it is
 * made anew beside. Few are counted each time, and are exact.
 */
export class MatchCounter {
  private readonly kept = new Map<string, KeptCount>();
  private readonly underWay = new Map<string, Promise<number>>();

  constructor(private readonly db: Database) {}

  async count(filter: CallFilter): Promise<number> {
    const key = JSON.stringify(filter);
    const known = this.kept.get(key);
    // Not one that is under way: it may be of a moment before what its asker has just written.
    if (!known) return this.countNow(key, filter);
    const age = performance.now() - known.countedAt;
    if (age < known.tookMilliseconds * freshForTimes) return known.total;
    const counting = this.countOnce(key, filter);
    if (age >= Math.max(known.tookMilliseconds * givenOutForTimes, givenOutForMilliseconds)) return counting;
    // It is told to whoever has to wait for the count.
    counting.catch(() => undefined);
    return known.total;
  }

  private countOnce(key: string, filter: CallFilter): Promise<number> {
    const running = this.underWay.get(key);
    if (running) return running;
    const counting = this.countNow(key, filter, unhurried).finally(() => this.underWay.delete(key));
    this.underWay.set(key, counting);
    return counting;
  }

  private async countNow(key: string, filter: CallFilter, within = atOnce): Promise<number> {
    const countedAt = performance.now();
    const total = await within(this.db, (db) => countMatches(db, filter));
    this.kept.delete(key);
    if (total >= manyMatches) {
      this.kept.set(key, { total, countedAt, tookMilliseconds: performance.now() - countedAt });
      const [oldest] = this.kept.keys();
      if (this.kept.size > countsKept && oldest !== undefined) this.kept.delete(oldest);
    }
    return total;
  }
}

type Counting = (db: Database, count: (db: Database) => Promise<number>) => Promise<number>;

const atOnce: Counting = (db, count) => count(db);

/** By one process: several are done sooner, and everything else waits for a core meanwhile. */
const unhurried: Counting = (db, count) =>
  db.transaction().execute(async (trx) => {
    await sql`set local max_parallel_workers_per_gather = 0`.execute(trx);
    return count(trx);
  });

function conditionsOf(filter: CallFilter): Expression<SqlBool>[] {
  const { status, to, scriptId, createdAfter, createdBefore, metadata = {} } = filter;
  const conditions = Object.entries(metadata).map(([name, value]) => holds(name, value));
  // One alone comes in the order of its index.
  const [first, ...others] = status ?? [];
  if (first !== undefined) {
    conditions.push(others.length === 0 ? sql`status = ${first}` : sql`status = any(${status}::text[])`);
  }
  if (to !== undefined) conditions.push(sql`to_number = ${to}`);
  if (scriptId !== undefined) conditions.push(sql`script_id = ${scriptId}`);
  if (createdAfter) conditions.push(sql`created_at >= ${createdAfter}`);
  if (createdBefore) conditions.push(sql`created_at < ${createdBefore}`);
  return conditions;
}

/** The second half is the index's own condition, without which it may not be used. */
function holds(name: string, value: string): Expression<SqlBool> {
  const contained = meantBy(value).map((one) => sql`metadata @> ${JSON.stringify({ [name]: one })}::jsonb`);
  return sql`((${sql.join(contained, sql` or `)}) and metadata <> '{}'::jsonb)`;
}

/** What a text in a query may stand for in JSON. */
function meantBy(text: string): (string | number | boolean)[] {
  if (text === 'true' || text === 'false') return [text, text === 'true'];
  const isNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) && Number.isFinite(Number(text));
  return isNumber ? [text, Number(text)] : [text];
}

/**
 * Between which numbers (`seq`) the calls of a time range lie, so that a list of last month does not begin by passing
 * over this month. A number is drawn after its call's `created_at` was set, and within the 15 s that a statement may
 * last: of two calls with minutes between them the later has the higher one. The range itself is kept by `conditionsOf`.
 */
function boundsOfTime({ createdAfter, createdBefore }: CallFilter): Expression<SqlBool>[] {
  const bounds: Expression<SqlBool>[] = [];
  const apart = sql`interval '5 minutes'`;
  if (createdAfter) {
    bounds.push(sql`seq > coalesce((select earlier.seq from calls as earlier
      where earlier.created_at < ${createdAfter}::timestamptz - ${apart} order by earlier.created_at desc limit 1), 0)`);
  }
  if (createdBefore) {
    bounds.push(sql`seq < coalesce((select later.seq from calls as later
      where later.created_at > ${createdBefore}::timestamptz + ${apart} order by later.created_at limit 1), ${Number.MAX_SAFE_INTEGER})`);
  }
  return bounds;
}
