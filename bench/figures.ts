import type { Figure } from './figure';
import { accept } from './figures/accept';
import { events } from './figures/events';
import { growth } from './figures/growth';
import { handOver } from './figures/hand-over';
import { kafkaIntake } from './figures/kafka-intake';
import { list } from './figures/list';
import { orchestration } from './figures/orchestration';
import { rest } from './figures/rest';
import { semaphore } from './figures/semaphore';
import { slotUse } from './figures/slot-use';
import { start } from './figures/start';
import { statements } from './figures/statements';

/** In the order in which they are measured. */
export const figures: readonly Figure[] = [
  accept,
  handOver,
  slotUse,
  orchestration,
  kafkaIntake,
  events,
  list,
  semaphore,
  statements,
  start,
  rest,
  growth,
];
