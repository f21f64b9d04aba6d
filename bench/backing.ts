import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';

import { nativeRunner } from '../infra/native-runner';
import { placesFor, recordFile, type Places } from '../infra/places';
import { isAlive, readRecord, recordOf, writeRecord } from '../infra/process-record';
import { ownServices } from '../infra/service-plan';
import type { ServiceRunner } from '../infra/service-runner';
import { serviceNames, type BackingService } from '../infra/services/backing-service';
import { readInfraSettings } from '../infra/settings';
import { freshPorts } from '../infra/test-run';

const prefix = 'bench-of-';

/** The backing services of one bench, native processes with data and ports of their own. */
export class Backing {
  private readonly others: Backing[] = [];

  private constructor(
    private readonly id: string,
    private readonly plan: Plan,
    private readonly signal: AbortSignal,
  ) {}

  static async bringUp(signal: AbortSignal): Promise<Backing> {
    await removeAbandoned();
    const id = String(process.pid);
    const backing = new Backing(id, planOf(id, await freshPorts()), signal);
    await backing.up();
    return backing;
  }

  /** Brings up the same once more, beside these and until these end. */
  async another(): Promise<Backing> {
    const id = `${this.id}-${this.others.length + 2}`;
    const other = new Backing(id, planOf(id, await freshPorts()), this.signal);
    // Before it is up: what came up of one that failed ends too.
    this.others.push(other);
    await other.up();
    return other;
  }

  get places(): Places {
    return this.plan.places;
  }

  /** Where they are, as the roles are told. */
  get environment(): Readonly<Record<string, string>> {
    return Object.assign({}, ...this.plan.services.map(({ environment }) => environment)) as Record<string, string>;
  }

  /** The process of each, by its name. */
  get pids(): Readonly<Record<string, number>> {
    return Object.fromEntries(serviceNames.map((name) => [name, readRecord(recordFile(this.places, name))?.pid ?? 0]));
  }

  async down(): Promise<void> {
    await Promise.all(this.others.map((other) => other.down()));
    const { runner, services, places } = this.plan;
    await runner.down(services, { volumes: true });
    rmSync(places.data, { recursive: true, force: true });
  }

  kill(): void {
    for (const other of this.others) other.kill();
    this.plan.runner.kill(this.plan.services);
  }

  private async up(): Promise<void> {
    const { runner, services, places } = this.plan;
    writeRecord(ownerFile(places), recordOf(process.pid));
    await runner.up(services, this.signal);
  }
}

interface Plan {
  places: Places;
  services: BackingService[];
  runner: ServiceRunner;
}

function planOf(id: string, ports: Record<string, string>): Plan {
  // Nothing of the environment or `.env`: a bench is never let loose on real services.
  const settings = readInfraSettings({ INFRA: 'native', DATA_DIR: join('.data', `${prefix}${id}`), ...ports });
  const places = placesFor(settings.DATA_DIR);
  return { places, services: ownServices(settings, places), runner: nativeRunner(places) };
}

/** A bench that was killed could not take its services down; the next one does. */
async function removeAbandoned(): Promise<void> {
  const { data } = placesFor();
  for (const name of directoriesIn(data).filter((entry) => entry.startsWith(prefix))) {
    const owner = readRecord(ownerFile(placesFor(join(data, name))));
    if (owner && isAlive(owner)) continue;
    const { places, services, runner } = planOf(basename(name).slice(prefix.length), {});
    await runner.down(services, { volumes: true });
    rmSync(places.data, { recursive: true, force: true });
  }
}

function ownerFile(places: Places): string {
  return join(places.run, 'owner.json');
}

function directoriesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
