import { Counter, Gauge, Registry } from 'prom-client';

import { callStatuses, type CallStatus } from '../call/call';
import { reconcilerDuties } from '../call/reconciler-duties';
import type { Config } from '../config';
import { countSlots } from '../store/attempts';
import { backlogs, readBacklogs } from '../store/backlogs';
import { countCalls } from '../store/calls';
import { readPause } from '../store/control';
import type { Database } from '../store/database';
import { personalDataWork, readPersonalDataWork } from '../store/personal-data-work';
import { readReconcilerRecord } from '../store/reconciler-mends';

export interface RecordMetricsDeps {
  db: Database;
  config: Pick<Config, 'MAX_CONCURRENT_CALLS'>;
}

export type CallCounts = Record<CallStatus, number> & { slots: { limit: number; held: number; waiting: number } };

export async function readCounts({ db, config }: RecordMetricsDeps): Promise<CallCounts> {
  const [calls, slots] = await Promise.all([countCalls(db), countSlots(db)]);
  return { ...calls, slots: { limit: config.MAX_CONCURRENT_CALLS, ...slots } };
}

/**
 * What the record says, read at each scrape: right over all processes and their restarts, and while those that do the
 * work are down. Each API process tells the same.
 */
export function recordMetrics(deps: RecordMetricsDeps): () => Promise<string> {
  const registry = new Registry();
  const rooms = [callsAndSlots(registry), work(registry), waiting(registry)];
  return async () => {
    await Promise.all(rooms.map((read) => read(deps)));
    return registry.metrics();
  };
}

type Read = (deps: RecordMetricsDeps) => Promise<void>;

function callsAndSlots(registry: Registry): Read {
  const registers = [registry];
  const calls = new Gauge({ name: 'orchestrator_calls', help: 'Calls by status', labelNames: ['status'], registers });
  const limit = new Gauge({ name: 'orchestrator_slots_limit', help: 'Calls allowed at once', registers });
  const held = new Gauge({ name: 'orchestrator_slots_held', help: 'Attempts in progress', registers });
  const waiting = new Gauge({ name: 'orchestrator_slots_waiting', help: 'Attempts waiting for a slot', registers });
  const paused = new Gauge({ name: 'orchestrator_paused', help: '1 while dialling is paused, else 0', registers });
  return async (deps) => {
    const [counts, pause] = await Promise.all([readCounts(deps), readPause(deps.db)]);
    paused.set(pause === null ? 0 : 1);
    for (const status of callStatuses) calls.set({ status }, counts[status]);
    limit.set(counts.slots.limit);
    held.set(counts.slots.held);
    waiting.set(counts.slots.waiting);
  };
}

/** Counted in the record, over all processes and their restarts. */
function work(registry: Registry): Read {
  const registers = [registry];
  const mended = new Counter({
    name: 'orchestrator_reconciler_mended_total',
    help: 'What each duty of the reconciler has mended',
    labelNames: ['duty'],
    registers,
  });
  const lastRound = new Gauge({
    name: 'orchestrator_reconciler_last_round_timestamp_seconds',
    help: 'By when every duty of the reconciler had last come to its end; 0 where one never has',
    registers,
  });
  const personalData = new Counter({
    name: 'orchestrator_personal_data_calls_total',
    help: 'Calls whose personal data was forgotten, on request or by retention, and calls deleted by retention',
    labelNames: ['work'],
    registers,
  });
  return async ({ db }) => {
    const [reconciler, forgotten] = await Promise.all([readReconcilerRecord(db), readPersonalDataWork(db)]);
    mended.reset();
    for (const duty of reconcilerDuties) mended.inc({ duty }, reconciler.mended[duty]);
    lastRound.set((reconciler.lastRoundAt?.getTime() ?? 0) / 1_000);
    personalData.reset();
    for (const kind of personalDataWork) personalData.inc({ work: kind }, forgotten[kind]);
  };
}

function waiting(registry: Registry): Read {
  const registers = [registry];
  const labelNames = ['backlog'];
  const size = new Gauge({
    name: 'orchestrator_backlog',
    help: 'queue: attempts waiting for a slot; handoff: calls of which Temporal is to be told something; report: provider reports of which no workflow has been told; outbox: events that have not left for Kafka',
    labelNames,
    registers,
  });
  const oldest = new Gauge({
    name: 'orchestrator_backlog_oldest_seconds',
    help: 'For how long the oldest of each backlog has been in it; 0 where it is empty',
    labelNames,
    registers,
  });
  return async ({ db }) => {
    const read = await readBacklogs(db);
    for (const backlog of backlogs) {
      size.set({ backlog }, read[backlog].count);
      oldest.set({ backlog }, read[backlog].oldestSeconds);
    }
  };
}
