import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A preparing step that failed: its output is on the screen already, so that the message only names it. */
export class StepFailed extends Error {}

/** All of it on stderr: stdout belongs to the command itself (`infra:status --json`). */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Runs a step with its output on our stderr; a signal for us ends it, and then us. */
export async function run(what, command, args, cwd) {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 2, 2] });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  let stoppedBy;
  const forward = (signal) => {
    stoppedBy ??= signal;
    child.kill(signal);
  };
  for (const signal of signals) process.on(signal, forward);
  try {
    const code = await new Promise((resolve, reject) => {
      child.once('error', (error) => reject(new StepFailed(`${what} could not be run: ${error.message}`)));
      child.once('close', resolve);
    });
    if (stoppedBy) process.exit(130);
    if (code !== 0) throw new StepFailed(`${what} failed: see above.`);
  } finally {
    for (const signal of signals) process.off(signal, forward);
  }
}

/**
 * One process at a time. The lock names its holder, so that one left behind by a killed process is recognised; what a
 * reused pid could do at worst is make a start wait until that process has ended.
 */
export async function alone(lock, what, work) {
  mkdirSync(dirname(lock), { recursive: true });
  for (let told = false; !take(lock);) {
    const holder = holderOf(lock);
    if (holder !== undefined && !isAlive(holder)) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!told) say(`Waiting for process ${holder ?? '?'}, which is ${what}`);
    told = true;
    await delay(200);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function take(lock) {
  try {
    const file = openSync(lock, 'wx');
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function holderOf(lock) {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
