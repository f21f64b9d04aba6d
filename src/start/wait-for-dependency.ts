import { setTimeout as delay } from 'node:timers/promises';

import type { Logger } from '../log';
import { DependencyError } from './role';

const patienceSeconds = 30;

/**
 * Waits at start for a service that the process cannot work without.
 *
 * @param setting the setting that says where the service is
 * @throws DependencyError once it stayed away for 30 s
 */
export async function waitForDependency<T>(
  log: Logger,
  name: string,
  setting: string,
  reach: () => Promise<T>,
): Promise<T> {
  const deadline = Date.now() + patienceSeconds * 1_000;
  for (let tries = 0; ; tries++) {
    try {
      return await reach();
    } catch (error) {
      if (Date.now() >= deadline) {
        throw new DependencyError(`${name} stays away: is it running, and is ${setting} right?`, { cause: error });
      }
      if (tries === 0) log.warn({ reason: String(error) }, `waiting for ${name} (${setting})`);
      await delay(Math.min(100 * 2 ** tries, 2_000));
    }
  }
}
