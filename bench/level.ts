import { setTimeout as pause } from 'node:timers/promises';

import { coresBetween } from './cpu';
import { untilOnTheLine } from './figures/hand-over';
import { Service } from './service';
import { cpuOf, type Stage } from './stage';
import { postCalls } from './systems';

const slots = 30;
/** About as fast as the embedded server starts them. By batches they would all be there at once, and be started without a `POST`. */
const letWaitPerSecond = 80;
const toldEach = 10_000;
const cancelsAtOnce = 50;
/** Right after the last movement V8 marks and compacts its heaps, which takes the worker some hundredths of a core. */
const settleSeconds = { full: 90, quick: 3 };
const restSeconds = { full: 60, quick: 5 };

/** The service with calls on all slots, which stay there, and so many waiting. */
export interface Level {
  waiting: number;
  stage: Stage;
  service: Service;
}

export async function openLevel(stage: Stage, waiting: number): Promise<Level> {
  // What is on the line stays there however long the others take to come: MAX_CALL_SECONDS would end it.
  const service = await Service.open(stage, { MAX_CALL_SECONDS: '604800' });
  const level = { waiting, stage, service };
  await service.start('api', 'worker', 'bridge');
  await letWait(level);
  return level;
}

let accepted = 0;

/** With calls on all slots, which stay there, and so many behind them, each with its workflow. */
async function letWait(level: Level): Promise<void> {
  const { stage, service } = level;
  const startedAt = performance.now();
  for (let left = level.waiting + slots; left > 0; left -= toldEach) {
    if (left <= level.waiting) stage.say(`${left.toLocaleString('en')} more to be posted`);
    await post(level, Math.min(toldEach, left), letWaitPerSecond);
  }
  await untilOnTheLine(stage, slots);
  await service.until(`${level.waiting} waiting`, ({ slots: { waiting } }) => waiting >= level.waiting, 12 * 3_600);
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  stage.say(`${level.waiting.toLocaleString('en')} waiting after ${seconds} s`);
}

/** Calls that a round before this one has posted are started for a while after, and then taken back. */
async function untilNothingMoves({ waiting: level, service }: Level): Promise<void> {
  await service.until('each call that is PENDING waits', ({ PENDING, slots: { waiting } }) => waiting >= PENDING);
  const { slots: use } = await service.counts();
  // The newest first: each round finds as many waiting as the one before.
  for (let beyond = use.waiting - level; beyond > 0; beyond -= cancelsAtOnce) {
    const limit = Math.min(beyond, cancelsAtOnce);
    const { calls } = await service.ask<{ calls: { id: string }[] }>(`/calls?status=PENDING&limit=${limit}`);
    await Promise.all(calls.map(({ id }) => service.ask(`/calls/${id}/cancel`, 'POST')));
  }
  await service.until(`${level} waiting`, ({ slots: { waiting } }) => waiting <= level);
}

/** Of all at once: none of them moves. @returns cores that each process takes */
export async function atRest(stage: Stage, levels: readonly Level[]): Promise<Record<string, number>[]> {
  await Promise.all(levels.map(untilNothingMoves));
  await pauseFor(stage, settleSeconds);
  const taken = () => levels.map((level) => cpuOf(level.stage, level.service.pids));
  const before = taken();
  const seconds = await pauseFor(stage, restSeconds);
  const after = taken();
  return after.map((cpu, index) => coresBetween(before[index] ?? {}, cpu, seconds));
}

/** What its own processes take of that. */
export function ownShare({ service }: Level, cores: Readonly<Record<string, number>>): number {
  return Object.keys(service.pids).reduce((sum, name) => sum + (cores[name] ?? 0), 0);
}

async function pauseFor({ quick, signal }: Stage, lengths: { full: number; quick: number }): Promise<number> {
  const seconds = quick ? lengths.quick : lengths.full;
  await pause(seconds * 1_000, undefined, { signal });
  return seconds;
}

/** @returns milliseconds of each */
export async function post({ stage, service }: Level, count: number, perSecond: number): Promise<number[]> {
  const calls = { firstNumber: accepted };
  accepted += count;
  return postCalls(stage, service, { calls, count, connections: 32, perSecond });
}
