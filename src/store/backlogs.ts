import { sql } from 'kysely';

import type { Database } from './database';

export const backlogs = ['queue', 'handoff', 'report', 'outbox'] as const;
export type Backlog = (typeof backlogs)[number];

/**
 * What waits to be done, by the record: how much of it, and for how long the oldest has waited by PostgreSQL's clock. Each
 * has an index, or a table, of what waits alone.
 */
export async function readBacklogs(db: Database): Promise<Record<Backlog, { count: number; oldestSeconds: number }>> {
  const waited = (since: string) =>
    sql`count(*)::integer as count,
        coalesce(greatest(extract(epoch from now() - min(${sql.ref(since)})), 0), 0)::double precision as seconds`;
  const { rows } = await sql<{ backlog: Backlog; count: number; seconds: number }>`
    select 'queue' as backlog, ${waited('queued_at')}
      from attempts where started_at is null and ended_at is null
    union all
    select 'handoff', ${waited('handoff_at')} from calls where handoff is not null
    union all
    select 'report', ${waited('received_at')}
      from provider_reports where delivered_at is null and attempt_id is not null
    union all
    select 'outbox', waiting.count,
           coalesce(greatest(extract(epoch from now() - oldest.at), 0), 0)::double precision
      from (select count(*)::integer as count, min(event_id) as first from outbox) as waiting
      left join call_events as oldest on oldest.id = waiting.first`.execute(db);
  const of = (backlog: Backlog) => {
    const row = rows.find((one) => one.backlog === backlog);
    return { count: row?.count ?? 0, oldestSeconds: row?.seconds ?? 0 };
  };
  return { queue: of('queue'), handoff: of('handoff'), report: of('report'), outbox: of('outbox') };
}
