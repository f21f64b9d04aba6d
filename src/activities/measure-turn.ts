import { Histogram } from 'prom-client';

import { registry, waitBuckets } from '../metrics';
import type { Database } from '../store/database';
import { readTurn } from '../store/turns';

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

/** How long the attempt that has just begun waited, and how long its slot did. */
export async function measureTurn(db: Database, attemptId: string): Promise<void> {
  const turn = await readTurn(db, attemptId);
  if (turn === undefined) return;
  waitSeconds.observe(turn.waitedSeconds);
  if (turn.slotIdleSeconds !== null) handoverSeconds.observe(turn.slotIdleSeconds);
}
