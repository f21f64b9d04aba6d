import type { AttemptEnd } from '../call/attempt-end';
import type { PlaceCallResult } from '../call/workflow-messages';

/** The call needs nothing more from this run: it ended, or a later round has it. */
export interface Over {
  kind: 'OVER';
  status: PlaceCallResult;
}

export type Place = { kind: 'GRANTED'; slot: number } | { kind: 'WAITING' } | Over;

export type Line =
  /** The provider has it, or may have it: its report is to be waited for. */
  | { kind: 'ON_THE_LINE' }
  | { kind: 'NOT_PLACED'; end: AttemptEnd }
  /** The slot is another attempt's by the record, or dialling is paused: queue again. */
  | { kind: 'SLOT_LOST' }
  /** Another attempt to the number is still on the line: queue again later. */
  | { kind: 'NUMBER_BUSY' }
  | Over;
