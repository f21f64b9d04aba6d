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

/** The backing services of one bench, native processes with data and ports of their own. */
export interface Backing {
  places: Places;
  /** Where they are, as the roles are told. */
  environment: Readonly<Record<string, string>>;
  /** The process of each, by its name. */
  pids: Readonly<Record<string, number>>;
  down: () => Promise<void>;
  kill: () => void;
}

const prefix = 'bench-of-';

export async function bringUpBacking(signal: AbortSignal): Promise<Backing> {
  await removeAbandoned();
  const { places, services, runner } = planOf(String(process.pid), await freshPorts());
  writeRecord(ownerFile(places), recordOf(process.pid));
  await runner.up(services, signal);
  return {
    places,
    environment: Object.assign({}, ...services.map(({ environment }) => environment)) as Record<string, string>,
    pids: Object.fromEntries(serviceNames.map((name) => [name, readRecord(recordFile(places, name))?.pid ?? 0])),
    down: async () => {
      await runner.down(services, { volumes: true });
      rmSync(places.data, { recursive: true, force: true });
    },
    kill: () => runner.kill(services),
  };
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
