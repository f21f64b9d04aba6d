import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

import { callStatuses, type CallStatus } from '../call/call';
import { reconcilerDuties } from '../call/reconciler-duties';
import type { Config } from '../config';
import { countSlots } from '../store/attempts';
import { countCalls } from '../store/calls';
import type { Database } from '../store/database';
import { personalDataWork, readPersonalDataWork, type PersonalDataWork } from '../store/personal-data-work';
import { readReconcilerRecord, type ReconcilerRecord } from '../store/reconciler-mends';
import { problemAnswers, type Endpoint } from './endpoint';
import { metricsSchema } from './schemas';

export interface MetricsDeps {
  db: Database;
  config: Pick<Config, 'MAX_CONCURRENT_CALLS'>;
}

const exampleMetrics: Metrics = {
  PENDING: 0,
  IN_PROGRESS: 0,
  COMPLETED: 1,
  FAILED: 0,
  EXPIRED: 0,
  CANCELED: 0,
  slots: { limit: 30, held: 0, waiting: 0 },
};

type Metrics = Record<CallStatus, number> & { slots: { limit: number; held: number; waiting: number } };

/** `GET /metrics`: from the record, so that it is right while Redis is away or emptied. */
export function getMetrics({ db, config }: MetricsDeps): Endpoint {
  const exposition = prometheusExposition();
  return {
    access: 'read',
    description: {
      operationId: 'getMetrics',
      summary: 'Calls by status, slots by use',
      tags: ['Operation'],
      responses: {
        200: {
          description: 'JSON, or Prometheus text where Accept names it first',
          content: {
            'application/json': { schema: metricsSchema, example: exampleMetrics },
            'text/plain': { schema: { type: 'string' } },
          },
        },
        ...problemAnswers(),
      },
    },
    handle: async (c) => {
      const [calls, slots] = await Promise.all([countCalls(db), countSlots(db)]);
      const metrics: Metrics = { ...calls, slots: { limit: config.MAX_CONCURRENT_CALLS, ...slots } };
      if (!prefersPrometheus(c.req.header('Accept'))) return c.json(metrics, 200);
      const [reconciler, work] = await Promise.all([readReconcilerRecord(db), readPersonalDataWork(db)]);
      return c.body(await exposition.render(metrics, reconciler, work), 200, {
        'Content-Type': exposition.contentType,
      });
    },
  };
}

function prometheusExposition() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: 'orchestrator_' });
  const calls = new Gauge({
    name: 'orchestrator_calls',
    help: 'Calls by status',
    labelNames: ['status'],
    registers,
  });
  const limit = new Gauge({ name: 'orchestrator_slots_limit', help: 'Calls allowed at once', registers });
  const held = new Gauge({ name: 'orchestrator_slots_held', help: 'Attempts in progress', registers });
  const waiting = new Gauge({ name: 'orchestrator_slots_waiting', help: 'Attempts waiting for a slot', registers });
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
  return {
    contentType: registry.contentType,
    render: (
      metrics: Metrics,
      reconciler: ReconcilerRecord,
      work: Record<PersonalDataWork, number>,
    ): Promise<string> => {
      // Counted in the record, over all processes and their restarts.
      personalData.reset();
      for (const kind of personalDataWork) personalData.inc({ work: kind }, work[kind]);
      mended.reset();
      for (const duty of reconcilerDuties) mended.inc({ duty }, reconciler.mended[duty]);
      lastRound.set((reconciler.lastRoundAt?.getTime() ?? 0) / 1_000);
      for (const status of callStatuses) calls.set({ status }, metrics[status]);
      limit.set(metrics.slots.limit);
      held.set(metrics.slots.held);
      waiting.set(metrics.slots.waiting);
      return registry.metrics();
    },
  };
}

/** Whether, of the types we have, `Accept` names a text one first: by weight, then by order. */
export function prefersPrometheus(accept = ''): boolean {
  const [first] = accept
    .split(',')
    .map((part) => {
      const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
      return { type, weight: weight === undefined ? 1 : Number(weight) };
    })
    .filter(
      ({ type, weight }) => weight > 0 && /^(\*\/\*|application\/(json|\*|openmetrics-text)|text\/plain)$/.test(type),
    )
    .sort((a, b) => b.weight - a.weight);
  return first !== undefined && ['text/plain', 'application/openmetrics-text'].includes(first.type);
}
