import { Interrupted } from './infra-error';
import { recordFile, type Places } from './places';
import { isAlive, readRecord } from './process-record';
import { ensureRunning } from './service-lifecycle';
import type { BackingService } from './services/backing-service';
import { waitUntil } from './wait-until';

const lookMilliseconds = 1000;
const retrySeconds = 5;

/**
 * Starts each of these again when it dies, until `signal` is aborted. One that was stopped on purpose has no record
 * any more, and stays stopped.
 *
 * @param onStart called with each that this brought up again
 */
export function keepRunning(
  services: readonly BackingService[],
  places: Places,
  signal: AbortSignal,
  { say, onStart }: { say: (line: string) => void; onStart: (service: BackingService) => void },
): void {
  const watch = async (service: BackingService): Promise<never> => {
    for (;;) {
      await waitUntil(() => hasDied(service, places), {
        deadlineSeconds: Infinity,
        pollMilliseconds: lookMilliseconds,
        signal,
      });
      say(`${service.title} has died; starting it again`);
      while (!(await startAgain(service))) await waitUntil(() => false, { deadlineSeconds: retrySeconds, signal });
      say(`${service.title} serves again`);
    }
  };
  const startAgain = async (service: BackingService): Promise<boolean> => {
    try {
      if ((await ensureRunning(service, places, signal)) === 'started') onStart(service);
      return true;
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      say(error instanceof Error ? error.message : String(error));
      return false;
    }
  };
  for (const service of services) {
    watch(service).catch((error: unknown) => {
      if (!(error instanceof Interrupted)) say(`${service.title} is no longer watched: ${String(error)}`);
    });
  }
}

function hasDied({ name }: BackingService, places: Places): boolean {
  const record = readRecord(recordFile(places, name));
  return record !== undefined && !isAlive(record);
}
