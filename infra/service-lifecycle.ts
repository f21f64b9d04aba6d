import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { InfraError, Interrupted } from './infra-error';
import { withLock } from './file-lock';
import { logFile, recordFile, shown, type Places } from './places';
import { isAlive, readRecord, recordOf, removeRecord, writeRecord, type ProcessRecord } from './process-record';
import type { BackingService, Launch, ServiceName } from './services/backing-service';
import { assertPortsFree } from './tcp-port';
import { waitUntil } from './wait-until';

const healthySeconds = 120;
const answersAgainSeconds = 30;
const stopSeconds = 30;
const killSeconds = 10;
const shownCharacters = 300;

/** @returns undefined also when what its record names has died */
export function runningProcess(name: ServiceName, places: Places): ProcessRecord | undefined {
  const record = readRecord(recordFile(places, name));
  return record && isAlive(record) ? record : undefined;
}

/** @throws InfraError when it runs on another address than the settings now say */
export function assertSameAddress(service: BackingService, running: ProcessRecord): void {
  if (running.address === service.address) return;
  throw new InfraError(
    `${service.title} of this checkout runs on ${running.address ?? 'another address'}, not on ${service.address}: stop it first with npm run infra:down.`,
  );
}

/**
 * Uses the service when it runs already, else installs what is missing, launches it and waits until it serves.
 * When that fails, what was launched is stopped again.
 */
export function ensureRunning(
  service: BackingService,
  places: Places,
  signal: AbortSignal,
): Promise<'started' | 'found'> {
  // Two terminals may bring the same service up at once; the second finds it running.
  const lock = `${recordFile(places, service.name)}.lock`;
  return withLock(lock, () => ensureRunningAlone(service, places, signal), { signal });
}

async function ensureRunningAlone(
  service: BackingService,
  places: Places,
  signal: AbortSignal,
): Promise<'started' | 'found'> {
  const running = runningProcess(service.name, places);
  if (running) {
    assertSameAddress(service, running);
    if (await waitUntil(() => service.healthy(), { deadlineSeconds: answersAgainSeconds, signal })) return 'found';
    throw new InfraError(
      `${service.title} (process ${running.pid}) does not answer on ${service.address}: npm run infra:down stops it; its log is ${shown(logFile(places, service.name))}.`,
    );
  }
  await service.install(signal);
  await assertPortsFree(service.ports);
  const launch = await service.prepare(signal);
  if (signal.aborted) throw new Interrupted();
  const launched = await launchDetached(service, launch, places);
  try {
    await waitUntilServes(service, launched, places, signal);
  } catch (error) {
    await stopService(service, places);
    throw error;
  }
  return 'started';
}

async function waitUntilServes(
  service: BackingService,
  launched: ProcessRecord,
  places: Places,
  signal: AbortSignal,
): Promise<void> {
  const log = logFile(places, service.name);
  const serves = await waitUntil(
    async () => {
      if (isAlive(launched)) return service.healthy();
      throw new InfraError(`${service.title} ended while it started: ${lastLine(log)} (see ${shown(log)})`);
    },
    { deadlineSeconds: healthySeconds, signal },
  );
  if (!serves) throw new InfraError(`${service.title} did not serve within ${healthySeconds} s: see ${shown(log)}.`);
}

/** In a session of its own, so that the terminal's Ctrl-C does not reach it: we stop it when we are done with it. */
async function launchDetached(service: BackingService, launch: Launch, places: Places): Promise<ProcessRecord> {
  mkdirSync(places.logs, { recursive: true });
  const log = openSync(logFile(places, service.name), 'a');
  const { command, args, ...options } = launch;
  try {
    const child = spawn(command, args, { ...options, detached: true, stdio: ['ignore', log, log] });
    await once(child, 'spawn').catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new InfraError(`${service.title} could not be started: ${reason}`, { cause: error });
    });
    child.unref();
    const record = recordOf(child.pid ?? 0, service.address);
    writeRecord(recordFile(places, service.name), record);
    return record;
  } finally {
    closeSync(log);
  }
}

/** @returns false when it was not running */
export async function stopService(service: BackingService, places: Places): Promise<boolean> {
  const running = runningProcess(service.name, places);
  if (running) {
    signalProcess(running.pid, service.stopSignal);
    // A stopped (SIGSTOP) process would take the signal only once it goes on.
    signalProcess(running.pid, 'SIGCONT');
    if (!(await waitUntil(() => !isAlive(running), { deadlineSeconds: stopSeconds }))) {
      signalProcess(running.pid, 'SIGKILL');
      await waitUntil(() => !isAlive(running), { deadlineSeconds: killSeconds });
    }
  }
  removeRecord(recordFile(places, service.name));
  return running !== undefined;
}

/** At once and without waiting: the last resort of a second Ctrl-C. */
export function killService(name: ServiceName, places: Places): void {
  const running = runningProcess(name, places);
  if (running) signalProcess(running.pid, 'SIGKILL');
  removeRecord(recordFile(places, name));
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The end of it where it is long: chained errors name their cause last. */
function lastLine(log: string): string {
  const line = readFileSync(log, 'utf8').trimEnd().split('\n').at(-1)?.trim() ?? '';
  return line.length > shownCharacters ? `… ${line.slice(-shownCharacters)}` : line;
}
