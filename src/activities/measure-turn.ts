import { Histogram } from 'prom-client';

import type { Logger } from '../log';
import { registry, waitBuckets } from '../metrics';
import type { Database } from '../store/database';
import { gather } from '../store/gather';
import { readTurns } from '../store/turns';

const waitSeconds = new Histogram({
  name: 'orchestrator_slot_wait_seconds',
  help: 'From when an attempt joined the queue until it held a slot',
  buckets: waitBuckets,
  registers: [registry],
});

const handoverSeconds = new Histogram({
  name: 'orchestrator_handover_seconds',
  help: 'From the end of an attempt until the next began on its slot, which had waited for one by then',
  buckets: waitBuckets,
  registers: [registry],
});

const gatherMilliseconds = 500;

/** @returns what measures, a moment later, how long an attempt that has just begun waited, and how long its slot did */
export function turnMeter({ db, log }: { db: Database; log: Logger }): (attemptId: string) => Promise<void> {
  return gather(gatherMilliseconds, async (attemptIds: readonly string[]) => {
    try {
      for (const { waitedSeconds, slotIdleSeconds } of await readTurns(db, attemptIds)) {
        waitSeconds.observe(waitedSeconds);
        if (slotIdleSeconds !== null) handoverSeconds.observe(slotIdleSeconds);
      }
    } catch (err) {
      log.warn({ err, attempts: attemptIds.length }, 'how long attempts waited is missing in the metrics');
    }
  });
}
