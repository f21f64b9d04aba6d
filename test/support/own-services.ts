import { rmSync } from 'node:fs';

import { nativeRunner } from '../../infra/native-runner';
import type { Places } from '../../infra/places';
import { runningProcess } from '../../infra/service-lifecycle';
import { ownServices } from '../../infra/service-plan';
import type { ServiceRunner } from '../../infra/service-runner';
import type { BackingService, ServiceName } from '../../infra/services/backing-service';
import { readInfraSettings } from '../../infra/settings';
import { isPortFree } from '../../infra/tcp-port';
import { freshPorts, placesOfFile } from '../../infra/test-run';
import { waitUntil } from './wait-until';

/**
 * Backing services of a test file's own, to be killed, stopped and started without harm to the other files. Native
 * processes in both ways of running the tests: the faults are signals to processes.
 */
export class OwnServices {
  private constructor(
    readonly places: Places,
    private readonly services: readonly BackingService[],
    private readonly runner: ServiceRunner,
  ) {}

  static async open(...names: ServiceName[]): Promise<OwnServices> {
    const places = placesOfFile();
    const settings = readInfraSettings({ INFRA: 'native', DATA_DIR: places.data, ...(await freshPorts()) });
    const services = ownServices(settings, places).filter(({ name }) => names.includes(name));
    const own = new OwnServices(places, services, nativeRunner(places));
    await own.start(...names);
    return own;
  }

  /** What clients must be told to find them. */
  get environment(): Record<string, string> {
    return Object.assign({}, ...this.services.map(({ environment }) => environment)) as Record<string, string>;
  }

  /** Back when each serves. */
  async start(...names: ServiceName[]): Promise<void> {
    await this.runner.up(
      names.map((name) => this.named(name)),
      new AbortController().signal,
    );
  }

  /** As an operator does it, in good order. */
  async stop(...names: ServiceName[]): Promise<void> {
    await this.runner.down(
      names.map((name) => this.named(name)),
      { volumes: false },
    );
  }

  /** `kill -9`; back when it is gone. */
  async crash(name: ServiceName): Promise<void> {
    const running = this.running(name);
    process.kill(running.pid, 'SIGKILL');
    // A process of many threads may be dead to the system while the last of them still holds its ports.
    await waitUntil(`${name} gone`, async () => {
      if (runningProcess(name, this.places)) return false;
      const free = await Promise.all(this.named(name).ports.map(({ port }) => isPortFree(port, '127.0.0.1')));
      return free.every(Boolean);
    });
  }

  /** It runs no more, and answers nothing, but its connections stay. */
  pause(name: ServiceName): void {
    process.kill(this.running(name).pid, 'SIGSTOP');
  }

  resume(name: ServiceName): void {
    process.kill(this.running(name).pid, 'SIGCONT');
  }

  removeData(name: ServiceName): void {
    this.named(name).removeData();
  }

  async close(): Promise<void> {
    await this.runner.down(this.services, { volumes: true });
    rmSync(this.places.data, { recursive: true, force: true });
  }

  private running(name: ServiceName): { pid: number } {
    const running = runningProcess(name, this.places);
    if (!running) throw new Error(`${name} does not run`);
    return running;
  }

  private named(name: ServiceName): BackingService {
    const service = this.services.find((one) => one.name === name);
    if (!service) throw new Error(`no ${name} of its own`);
    return service;
  }
}
