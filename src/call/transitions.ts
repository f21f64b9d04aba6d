import type { CallStatus, FinalStatus } from './call';

/**
 * The legal moves of a call's status; docs/call-states.md draws them. Each UPDATE names in its `where` the statuses it
 * moves from, held to this list by the store, so that a move which is not legal changes no row, however late it comes.
 */
const movesFrom = {
  PENDING: ['IN_PROGRESS', 'EXPIRED', 'CANCELED'],
  IN_PROGRESS: ['PENDING', 'COMPLETED', 'FAILED', 'EXPIRED', 'CANCELED'],
  COMPLETED: [],
  FAILED: ['PENDING'],
  EXPIRED: ['PENDING'],
  CANCELED: ['PENDING'],
} as const satisfies Record<CallStatus, readonly CallStatus[]>;

/** PENDING and IN_PROGRESS: the statuses in which a call occupies its number. */
export const activeStatuses = ['PENDING', 'IN_PROGRESS'] as const satisfies readonly CallStatus[];

/** The statuses that `POST /calls/:id/retry` starts again. */
export const retryableStatuses = ['FAILED', 'EXPIRED', 'CANCELED'] as const satisfies readonly CallStatus[];

export function mayMove(from: CallStatus, to: CallStatus): boolean {
  return (movesFrom[from] as readonly CallStatus[]).includes(to);
}

/** Final: nothing but a retry, or an operator's reset, leaves it. */
export function isFinal(status: CallStatus): status is FinalStatus {
  return !(activeStatuses as readonly CallStatus[]).includes(status);
}
