import type { Figure } from './figure';
import { accept } from './figures/accept';
import { handOver } from './figures/hand-over';
import { slotUse } from './figures/slot-use';

/** In the order in which they are measured. */
export const figures: readonly Figure[] = [accept, handOver, slotUse];
