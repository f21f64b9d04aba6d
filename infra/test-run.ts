import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { installBrowser } from './browser';
import { installFaultTools } from './fault-tools';
import { nativeRunner } from './native-runner';
import { placesFor, type Places } from './places';
import { isAlive, readRecord, recordOf, writeRecord } from './process-record';
import { say } from './progress';
import { installPrometheus } from './prometheus';
import { ownServices } from './service-plan';
import { chooseRunner, type ServiceRunner } from './service-runner';
import type { BackingService } from './services/backing-service';
import { readInfraSettings, type InfraSettings } from './settings';
import type { StopRequests } from './stop-requests';
import { exitCodeFor, readTally, tallyFileVariable, tallyLine } from './tally';
import { pickFreePorts } from './tcp-port';
import { waitUntil } from './wait-until';

const jestStopSeconds = 20;
const interrupted = 130;

/** The backing services of one test run, with data and ports of their own. */
interface TestServices {
  settings: InfraSettings;
  places: Places;
  services: BackingService[];
  runner: ServiceRunner;
  environment: Record<string, string>;
}

/**
 * Runs Jest on backing services of its own, and takes them down after.
 *
 * @param args go to Jest
 * @returns the exit code: 0 where tests ran and all passed
 */
export async function runTests(stop: StopRequests, args: readonly string[]): Promise<number> {
  await removeAbandonedRuns();
  const run = await testServices(String(process.pid), await freshPorts());
  writeRecord(ownerFile(run.places), recordOf(process.pid));
  stop.onForce(() => {
    run.runner.kill(run.services);
    killServicesOfFiles(run.places);
  });
  const tallyFile = join(run.places.run, 'tally.json');
  let code: number | null;
  try {
    const [tools, prometheus, browser] = await Promise.all([
      installFaultTools(run.places, stop.signal),
      installPrometheus(run.places, stop.signal),
      installBrowser(run.places, stop.signal),
      run.runner.up(run.services, stop.signal),
    ]);
    const found = { ...run.environment, ...tools, ...prometheus, ...browser, [tallyFileVariable]: tallyFile };
    code = await runJest(args, { ...process.env, ...found }, stop);
  } finally {
    await run.runner.down(run.services, { volumes: true });
    // A test file that was stopped could not take down what it had brought up for itself.
    await removeAbandonedRuns();
  }
  const tally = readTally(tallyFile);
  rmSync(run.places.data, { recursive: true, force: true });
  if (stop.signal.aborted) return interrupted;
  if (!tally) say('Jest ended without results.');
  say(tallyLine(tally ?? { passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 }));
  return exitCodeFor(code, tally);
}

/** Free ports for the four services, by the names of their settings. */
export async function freshPorts(): Promise<Record<string, string>> {
  const settings = ['TEMPORAL_PORT', 'TEMPORAL_UI_PORT', 'POSTGRES_PORT', 'REDIS_PORT', 'KAFKA_PORT'];
  const ports = await pickFreePorts(settings.length);
  return Object.fromEntries(settings.map((setting, index) => [setting, String(ports[index])]));
}

/** Nothing of the environment or `.env` but the way of running them: a test run is never let loose on real services. */
async function testServices(id: string, ports: Record<string, string>): Promise<TestServices> {
  const own = {
    INFRA: process.env['INFRA'],
    DATA_DIR: join('.data', `test-${id}`),
    COMPOSE_PROJECT_NAME: `call-orchestrator-test-${id}`,
    ...ports,
  };
  const settings = readInfraSettings(own);
  const places = placesFor(settings.DATA_DIR);
  const services = ownServices(settings, places);
  const runner = await chooseRunner(settings, places);
  const clients = Object.assign({}, ...services.map((service) => service.environment)) as Record<string, string>;
  const environment = { ...ports, DATA_DIR: places.data, INFRA: runner.kind, ...clients };
  return { settings, places, services, runner, environment };
}

/** A run that was killed could not take its services down; the next one does. */
async function removeAbandonedRuns(): Promise<void> {
  const { data } = placesFor();
  for (const name of directoriesIn(data).filter((entry) => entry.startsWith('test-'))) {
    const places = placesFor(join(data, name));
    const owner = readRecord(ownerFile(places));
    if (owner && isAlive(owner)) continue;
    const { runner, services } = await testServices(basename(name).slice('test-'.length), {});
    await runner.down(services, { volumes: true });
    killRecorded(places);
    rmSync(places.data, { recursive: true, force: true });
  }
}

/** At once: those that test files of this run brought up for themselves (`test/support/own-services.ts`). */
function killServicesOfFiles(run: Places): void {
  const { data } = placesFor();
  for (const name of directoriesIn(data).filter((entry) => entry.startsWith(`${basename(run.data)}-`))) {
    const places = placesFor(join(data, name));
    nativeRunner(places).kill(ownServices(readInfraSettings({}), places));
    killRecorded(places);
  }
}

/** What else a test file had noted there, such as the proxy that breaks its connections. */
function killRecorded({ run }: Places): void {
  for (const file of directoriesIn(run).filter((name) => name.endsWith('.json'))) {
    const record = readRecord(join(run, file));
    if (record && isAlive(record) && record.pid !== process.pid) process.kill(record.pid, 'SIGKILL');
  }
}

function ownerFile(places: Places): string {
  return join(places.run, 'owner.json');
}

/**
 * A place for what a test file brings up for itself. Should the file be stopped before it can take that down, the run
 * does, or the next one.
 */
export function placesOfFile(): Places {
  const places = placesFor(`${process.env['DATA_DIR'] ?? '.data/test-0'}-${randomBytes(4).toString('hex')}`);
  writeRecord(ownerFile(places), recordOf(process.pid));
  return places;
}

function directoriesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** @returns Jest's exit code; null when a signal ended it */
async function runJest(args: readonly string[], env: NodeJS.ProcessEnv, stop: StopRequests): Promise<number | null> {
  const { checkout } = placesFor();
  const jest = join(checkout, 'node_modules/jest/bin/jest.js');
  const reporters = ['default', join(__dirname, 'fault-table-reporter.js'), join(__dirname, 'tally-reporter.js')];
  const options = reporters.map((reporter) => `--reporters=${reporter}`);
  const child = spawn(process.execPath, [jest, ...args, ...options], { cwd: checkout, env, stdio: 'inherit' });
  let code: number | null | undefined;
  child.once('error', () => (code = null));
  child.once('exit', (exitCode) => (code = exitCode));
  const ended = (): boolean => code !== undefined;
  stop.onForce(() => child.kill('SIGKILL'));
  const stopJest = async (): Promise<void> => {
    child.kill('SIGTERM');
    if (!(await waitUntil(ended, { deadlineSeconds: jestStopSeconds }))) child.kill('SIGKILL');
  };
  stop.signal.addEventListener('abort', () => void stopJest(), { once: true });
  await waitUntil(ended, { deadlineSeconds: Infinity });
  return code ?? null;
}
