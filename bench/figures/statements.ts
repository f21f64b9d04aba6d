import { randomUUID } from 'node:crypto';

import { priorities } from '../../src/call/call';
import { insertCalls, type NewCall } from '../../src/store/accepted-calls';
import { recordCompleted } from '../../src/store/attempt-ends';
import { findAttemptInCall, joinQueue } from '../../src/store/attempts';
import { openDatabase, type Database } from '../../src/store/database';
import { claimSlot, recordOnTheLine } from '../../src/store/dials';
import { markDelivered } from '../../src/store/provider-reports';
import { readTurns } from '../../src/store/turns';
import { ours, type Book } from '../book';
import type { Figure } from '../figure';
import { callAt } from '../requests';
import { Service } from '../service';
import { quantile } from '../spread';
import { watchBacking, type Stage } from '../stage';

const figure = 'statements';
const sizes = { full: 3_000, quick: 60 };
const insertedAtOnce = 200;
/** As many slots. */
const atOnce = 4;

/** What a call asks of PostgreSQL, all of it but the hand-off to Temporal and the relay, with nothing else going on. */
export const statements: Figure = {
  name: figure,
  about: 'CPU and time of a call’s statements, from joining the queue to its end, four at a time',
  round: async (stage, book, round) => {
    const service = await Service.open(stage);
    const db = openDatabase(service.databaseUrl, { poolSize: atOnce, onIdleError: () => undefined });
    try {
      await carry(db, stage.quick ? 30 : 200, 0);
      await measure(stage, db, book, round);
    } finally {
      await db.destroy();
      await service.close();
    }
  },
};

async function measure(stage: Stage, db: Database, book: Book, round: number): Promise<void> {
  const calls = stage.quick ? sizes.quick : sizes.full;
  const server = watchBacking(stage, 'postgres');
  const own = process.cpuUsage();
  const steps = await carry(db, calls, 1_000);
  const { user, system } = process.cpuUsage(own);
  const seconds = server();
  const each = { figure, unit: 'ms', better: 'less' } as const;
  book.add({ ...each, what: 'CPU of PostgreSQL, a call' }, ours, (seconds * 1_000) / calls);
  book.add({ ...each, what: 'CPU of our process, a call' }, ours, (user + system) / 1_000 / calls);
  const medians = Object.entries(steps).map(([step, took]) => `${step} ${quantile(took, 0.5).toFixed(1)}`);
  book.note(figure, round, ours, `medians in ms: ${medians.join(', ')}`);
}

/** @returns the milliseconds that each step took, of each call */
async function carry(db: Database, count: number, firstNumber: number): Promise<Record<string, number[]>> {
  const calls = Array.from({ length: count }, (_, index) => newCall(index, firstNumber));
  for (let from = 0; from < count; from += insertedAtOnce)
    await insertCalls(db, calls.slice(from, from + insertedAtOnce));
  const steps: Record<string, number[]> = {};
  const timed = async <T>(step: string, work: () => Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    const result = await work();
    (steps[step] ??= []).push(performance.now() - startedAt);
    return result;
  };
  const next = calls.values();
  await Promise.all(
    Array.from({ length: atOnce }, async (_, index) => {
      for (const { id } of next) await carryOne(db, id, index + 1, timed);
    }),
  );
  return steps;
}

async function carryOne(
  db: Database,
  callId: string,
  slot: number,
  timed: <T>(step: string, work: () => Promise<T>) => Promise<T>,
): Promise<void> {
  const attemptId = randomUUID();
  const ids = { callId, attemptId, round: 1 };
  const externalCallId = `at-provider-${attemptId}`;
  await timed('queue joined', () => joinQueue(db, { ...ids, runId: randomUUID(), runNumber: 1 }));
  await timed('slot claimed', () => claimSlot(db, { ...ids, slot }));
  await timed('on the line', () => recordOnTheLine(db, ids, externalCallId));
  await timed('turn read', () => readTurns(db, [attemptId]));
  const end = { status: 'COMPLETED', durationSec: 1, failureReason: null, completedAt: new Date() } as const;
  const attempt = await timed('attempt found', () => findAttemptInCall(db, attemptId));
  const ended = attempt && (await timed('ended', () => recordCompleted(db, attempt, { externalCallId, ...end })));
  if (ended === undefined) throw new Error(`call ${callId} did not end`);
  await timed('report marked', () => markDelivered(db, [attemptId]));
}

function newCall(index: number, firstNumber: number): NewCall {
  return {
    id: randomUUID(),
    ...callAt(index, { firstNumber }),
    priority: priorities.usual,
    expiresAt: new Date(Date.now() + 3_600_000),
    maxAttempts: 3,
    requestKey: null,
    requestHash: null,
    source: null,
    webhookUrl: null,
  };
}
