import { sql } from 'kysely';

import type { Database, DatabaseTransaction } from './database';

export const personalDataWork = ['forgotten_on_request', 'forgotten_by_retention', 'deleted_by_retention'] as const;
export type PersonalDataWork = (typeof personalDataWork)[number];

/** Counted in the transaction of the work itself, so that nothing is counted twice and nothing is left out. */
export async function countPersonalData(
  trx: DatabaseTransaction,
  kind: PersonalDataWork,
  calls: number,
): Promise<void> {
  await sql`
    insert into personal_data_work as kept (kind, calls, last_at) values (${kind}, ${calls}, now())
    on conflict (kind) do update set calls = kept.calls + excluded.calls, last_at = excluded.last_at`.execute(trx);
}

/** @returns for how many calls each was done, ever */
export async function readPersonalDataWork(db: Database): Promise<Record<PersonalDataWork, number>> {
  const rows = await db.selectFrom('personal_data_work').select(['kind', 'calls']).execute();
  const counts = personalDataWork.map((kind) => [kind, rows.find((row) => row.kind === kind)?.calls ?? 0]);
  return Object.fromEntries(counts) as Record<PersonalDataWork, number>;
}
