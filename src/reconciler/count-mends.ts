import type { ReconcilerDuty } from '../call/reconciler-duties';
import type { Database } from '../store/database';
import { recordDuty } from '../store/reconciler-mends';

type Duties = Record<ReconcilerDuty, () => Promise<number>>;

/**
 * The same duties, each writing down that it came to its end and how much it mended. A duty that fails leaves the record
 * as it was: so it shows there, too, that it does not get through.
 */
export function countMends(db: Database, duties: Duties): Duties {
  const counted = Object.entries(duties).map(([name, duty]) => [
    name,
    async () => {
      const mended = await duty();
      await recordDuty(db, name as ReconcilerDuty, mended);
      return mended;
    },
  ]);
  return Object.fromEntries(counted) as Duties;
}
