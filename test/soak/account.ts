import { sql } from 'kysely';

import type { CallEvent } from '../../src/call/event';
import type { Stage } from '../faults/stage';
import type { Requested } from './load';

/** Both sides of the book: what was asked and answered, and what the record, the provider and Kafka say of it. */
export interface Account {
  answered201: number;
  unanswered: number;
  byKafka: number;
  /** Calls in the record, by status. */
  calls: Record<string, number>;
  /** Answered 201, or requested over Kafka, and not in the record. */
  lost: string[];
  /** Numbers that one message or key made two calls of. */
  twice: string[];
  notFinal: string[];
  attempts: number;
  dials: number;
  /** Dials that no attempt of the record knows. */
  strayDials: string[];
  /** COMPLETED without a dial. */
  undialled: string[];
  duplicateDials: number;
  peak: number;
  peakPerNumber: number;
  slotsHeld: number;
  events: number;
  /** Calls whose events do not run 1, 2, 3 … in the record, or were not sent. */
  brokenTimelines: string[];
}

async function column(stage: Stage, query: ReturnType<typeof sql<{ value: string }>>): Promise<string[]> {
  return (await query.execute(stage.service.database.db)).rows.map(({ value }) => value);
}

export async function takeAccount(stage: Stage, requested: Requested): Promise<Account> {
  const { db } = stage.service.database;
  const ids = new Set(await column(stage, sql`select id::text as value from calls`));
  const numbers = await column(stage, sql`select to_number as value from calls`);
  const attempts = new Set(
    await column(stage, sql`select id::text as value from attempts where started_at is not null`),
  );
  const keys = stage.dialled.map(({ idempotencyKey }) => idempotencyKey ?? 'no key');
  const completed = await column(stage, sql`select a.id::text as value from attempts a where a.outcome = 'COMPLETED'`);
  const dialled = new Set(keys);
  const { rows: statuses } = await sql<{ status: string; count: number }>`
    select status, count(*) as count from calls group by status order by status`.execute(db);
  const { duplicateDials, peak, peakPerNumber } = stage.provider.stats();
  const countOf = (list: readonly string[]) =>
    list.reduce((map, one) => map.set(one, (map.get(one) ?? 0) + 1), new Map<string, number>());
  const callsPerNumber = countOf(numbers);
  return {
    answered201: requested.accepted.size,
    unanswered: requested.unanswered,
    byKafka: requested.byKafka.size,
    calls: Object.fromEntries(statuses.map(({ status, count }) => [status, count])),
    lost: [
      ...[...requested.accepted].filter((id) => !ids.has(id)),
      ...[...requested.byKafka].filter((number) => !callsPerNumber.has(number)),
    ],
    twice: [...requested.byKafka].filter((number) => (callsPerNumber.get(number) ?? 0) > 1),
    notFinal: await column(stage, sql`select id::text as value from calls where status in ('PENDING', 'IN_PROGRESS')`),
    attempts: attempts.size,
    dials: keys.length,
    strayDials: keys.filter((key) => !attempts.has(key)),
    undialled: completed.filter((id) => !dialled.has(id)),
    duplicateDials,
    peak,
    peakPerNumber,
    slotsHeld: (await stage.service.metrics()).slots.held + (await stage.redis.hlen('{slots}:holders')),
    events: Number((await column(stage, sql`select count(*)::text as value from call_events`))[0]),
    brokenTimelines: await column(
      stage,
      sql`select call_id::text as value from call_events where call_id is not null group by call_id
          having min(sequence) <> 1 or max(sequence) <> count(*)
          or bool_or(exists (select from outbox where event_id = call_events.id))`,
    ),
  };
}

/** @returns calls whose events came over Kafka out of order or with one missing, once repeats are left out */
export function outOfOrder(events: readonly CallEvent[]): string[] {
  const seen = new Set<string>();
  const next = new Map<string, number>();
  const wrong = new Set<string>();
  for (const { eventId, callId, sequence } of events) {
    if (seen.has(eventId)) continue;
    seen.add(eventId);
    if (sequence !== (next.get(callId) ?? 1)) wrong.add(callId);
    next.set(callId, sequence + 1);
  }
  return [...wrong];
}
