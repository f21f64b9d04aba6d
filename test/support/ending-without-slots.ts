import type { Logger } from 'pino';

import type { EndDeps } from '../../src/intake/end-completed';
import type { Database } from '../../src/store/database';

/** For reports of calls whose slots are of no matter: nobody holds one by Redis, and nobody waits. */
export function endingWithoutSlots(db: Database, log: Logger): EndDeps {
  return {
    db,
    log,
    semaphore: { release: () => Promise.resolve({ value: 0, grants: [] }) },
    // Nobody is granted anything, so nobody is told.
    temporal: undefined as never,
  };
}
