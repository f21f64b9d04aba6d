import { deleteDueCalls, deleteDueStrays, forgetDueCalls, forgetDueStrays, type Due } from '../store/retention';
import type { ActivityDeps } from '.';

/** Histories that are deleted at once: retention must leave the others their turn. */
const deletedAtOnce = 10;

/**
 * Forgets the person in a batch of the calls that ended so long ago, and deletes their histories. Safe twice: those that
 * were done are not due any more.
 *
 * @returns how many calls; fewer than the limit: none is left
 */
export function forgetDue({ db, starter, log }: Pick<ActivityDeps, 'db' | 'starter' | 'log'>) {
  return async (due: Due): Promise<number> => {
    const rows = await forgetDueCalls(db, due);
    for (let from = 0; from < rows.length; from += deletedAtOnce) {
      const some = rows.slice(from, from + deletedAtOnce).map(async (row) => {
        try {
          await starter.handOff(row);
        } catch (error) {
          log.warn({ callId: row.id, err: error }, 'histories not deleted yet; the sweep will');
        }
      });
      await Promise.all(some);
    }
    if (rows.length < due.limit) await forgetDueStrays(db, due);
    if (rows.length > 0) log.info({ calls: rows.length, olderThanDays: due.olderThanDays }, 'retention: forgotten');
    return rows.length;
  };
}

/** Deletes a batch of the calls that ended so long ago, with all their rows. Safe twice. @returns as `forgetDue` */
export function deleteDue({ db, log }: Pick<ActivityDeps, 'db' | 'log'>) {
  return async (due: Due): Promise<number> => {
    const calls = await deleteDueCalls(db, due);
    if (calls < due.limit) await deleteDueStrays(db, due);
    if (calls > 0) log.info({ calls, olderThanDays: due.olderThanDays }, 'retention: deleted');
    return calls;
  };
}
