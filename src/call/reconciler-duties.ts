/** What the reconciler does each round, each duty in a file of `src/reconciler`; in this order by its workflow. */
export const reconcilerDuties = [
  'handOffLeftBehind',
  'deliverReports',
  'resendGrants',
  'expireOverdue',
  'endOrphanedAttempts',
  'mendWaitingCalls',
  'auditSlots',
] as const;
export type ReconcilerDuty = (typeof reconcilerDuties)[number];
