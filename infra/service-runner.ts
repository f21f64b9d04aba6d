import { dockerAnswers, dockerRunner } from './docker';
import { InfraError } from './infra-error';
import { nativeRunner } from './native-runner';
import type { Places } from './places';
import { runningProcess } from './service-lifecycle';
import { serviceNames, type BackingService, type ServiceName } from './services/backing-service';
import type { InfraSettings } from './settings';

export interface ServiceStatus {
  name: ServiceName;
  state: 'up' | 'down';
  address: string;
  pid?: number;
  ui?: string;
  log?: string;
}

/** One of the two ways of running the backing services. */
export interface ServiceRunner {
  readonly kind: 'docker' | 'native';
  /**
   * Brings all of them up side by side, and is back when each serves. If one fails, those that this call started are
   * stopped again.
   *
   * @returns the names of those that this call started
   */
  up(services: readonly BackingService[], signal: AbortSignal): Promise<ServiceName[]>;
  running(services: readonly BackingService[]): Promise<ServiceName[]>;
  /** @returns the names of those that were running */
  down(services: readonly BackingService[], options: { volumes: boolean }): Promise<ServiceName[]>;
  /** At once, without waiting. */
  kill(services: readonly BackingService[]): void;
  status(service: BackingService): Promise<ServiceStatus>;
}

/** Docker where an engine answers, but never beside native processes that already run for this checkout. */
export async function chooseRunner(settings: InfraSettings, places: Places): Promise<ServiceRunner> {
  if (settings.INFRA === 'native') return nativeRunner(places);
  if (settings.INFRA === 'auto' && serviceNames.some((name) => runningProcess(name, places)))
    return nativeRunner(places);
  if (await dockerAnswers()) return dockerRunner(settings, places);
  if (settings.INFRA === 'auto') return nativeRunner(places);
  throw new InfraError('INFRA=docker, but no Docker engine with Compose answers: start it, or set INFRA=native.');
}
