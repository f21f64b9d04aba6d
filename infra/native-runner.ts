import { rmSync } from 'node:fs';
import { logFile, type Places } from './places';
import { assertSameAddress, ensureRunning, killService, runningProcess, stopService } from './service-lifecycle';
import type { ServiceRunner, ServiceStatus } from './service-runner';
import type { BackingService, ServiceName } from './services/backing-service';
import { assertPortsFree } from './tcp-port';

export function nativeRunner(places: Places): ServiceRunner {
  return {
    kind: 'native',
    up: (services, signal) => bringUp(services, places, signal),
    running: (services) =>
      Promise.resolve(services.map(({ name }) => name).filter((name) => runningProcess(name, places))),
    down: (services, { volumes }) => takeDown(services, places, volumes),
    kill: (services) => {
      for (const { name } of services) killService(name, places);
    },
    status: (service) => statusOf(service, places),
  };
}

async function bringUp(
  services: readonly BackingService[],
  places: Places,
  signal: AbortSignal,
): Promise<ServiceName[]> {
  await assertCanStart(services, places);
  // The first failure stops the installing and starting of the others too.
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const started: BackingService[] = [];
  const results = await Promise.allSettled(
    services.map(async (service) => {
      try {
        if ((await ensureRunning(service, places, either)) === 'started') started.push(service);
      } catch (error) {
        // Of several errors the first is the cause; those after it are mostly its echo.
        if (!either.aborted) failure.abort(error);
        throw error;
      }
    }),
  );
  if (results.every(({ status }) => status === 'fulfilled')) return started.map(({ name }) => name);
  await takeDown(started, places, false);
  if (failure.signal.aborted) throw failure.signal.reason;
  const rejected = results.find((result) => result.status === 'rejected');
  throw rejected?.reason;
}

/** Before anything is installed or started: nobody should wait minutes for a compiler, to learn then of a taken port. */
async function assertCanStart(services: readonly BackingService[], places: Places): Promise<void> {
  for (const service of services) {
    const running = runningProcess(service.name, places);
    if (running) assertSameAddress(service, running);
    else await assertPortsFree(service.ports);
  }
}

async function takeDown(services: readonly BackingService[], places: Places, volumes: boolean): Promise<ServiceName[]> {
  const stopped = await Promise.all(services.map((service) => stopService(service, places)));
  if (volumes) {
    for (const service of services) {
      service.removeData();
      rmSync(logFile(places, service.name), { force: true });
    }
  }
  return services.filter((_, index) => stopped[index]).map(({ name }) => name);
}

async function statusOf(service: BackingService, places: Places): Promise<ServiceStatus> {
  const { name, address, ui } = service;
  const running = runningProcess(name, places);
  const up = running?.address === address && (await service.healthy());
  return {
    name,
    state: up ? 'up' : 'down',
    address,
    ...(running ? { pid: running.pid } : {}),
    ...(up && ui !== undefined ? { ui } : {}),
    log: logFile(places, name),
  };
}
