/** How far an attempt that holds a slot is. HANGING_UP: its call was withdrawn, and its line is not known to be down yet. */
export const lineStates = ['DIALLING', 'ON_THE_LINE', 'HANGING_UP'] as const;
export type LineState = (typeof lineStates)[number];

/**
 * What a PENDING call waits for. START: its workflow, which Temporal has not begun yet. BACKOFF: its next attempt. NUMBER:
 * an earlier attempt to the same number, which is still on the line. PAUSE: somebody has paused dialling.
 */
export const waitReasons = ['START', 'SLOT', 'BACKOFF', 'NUMBER', 'PAUSE'] as const;
export type WaitReason = (typeof waitReasons)[number];

/** Since when nothing new is dialled, and why, in the words of whoever wanted it. */
export interface Pause {
  since: string;
  reason: string | null;
}
