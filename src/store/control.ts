import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import type { Pause } from '../call/board';
import type { Database, DatabaseTransaction } from './database';

/** Notified of each turn of the switch. */
export const controlNotices = 'control';

/**
 * For so long whoever began a statement that looks at the switch may act upon what it saw. A pause is answered only after
 * that, so no request to the provider sets out once it was.
 */
export const lookHoldsMilliseconds = 100;

/**
 * For statements that may only take effect while dialling is not paused: a pause has committed before it is answered, so
 * any statement that begins after sees it.
 */
export const isPaused = sql<boolean>`exists (select 1 from control where paused_at is not null)`;

/** @returns the pause that is on, or null */
export async function readPause(db: Database | DatabaseTransaction): Promise<Pause | null> {
  const row = await db.selectFrom('control').selectAll().executeTakeFirst();
  return row?.paused_at == null ? null : { since: row.paused_at.toISOString(), reason: row.reason };
}

/**
 * How often the switch was turned: odd while dialling is paused, even while it is not. One number says both, and which of
 * two is later; so whoever is told of turns in the wrong order comes out right.
 */
export async function turnOfSwitch(db: Database | DatabaseTransaction): Promise<number> {
  return (await db.selectFrom('control').select('turn').executeTakeFirst())?.turn ?? 0;
}

/**
 * Pauses dialling, unless it is paused. By the time it returns nothing acts upon having seen dialling go on.
 *
 * @returns the pause that is on, and whether it is on by this
 */
export async function pauseDialling(
  db: Database,
  reason: string | null,
): Promise<{ pause: Pause | null; turned: boolean }> {
  const paused = await turn(db, (trx) =>
    sql`
      insert into control (turn, paused_at, reason) values (1, now(), ${reason})
      on conflict (is_only) do update set turn = control.turn + 1, paused_at = now(), reason = excluded.reason
       where control.paused_at is null`.execute(trx),
  );
  await delay(lookHoldsMilliseconds);
  return paused;
}

/** Lets calls be dialled again. @returns that no pause is on, and whether one was until now */
export async function resumeDialling(db: Database): Promise<{ pause: Pause | null; turned: boolean }> {
  return turn(db, (trx) =>
    sql`
      update control set turn = turn + 1, paused_at = null, reason = null, resumed_at = now()
       where paused_at is not null`.execute(trx),
  );
}

async function turn(
  db: Database,
  change: (trx: DatabaseTransaction) => Promise<{ numAffectedRows?: bigint | undefined }>,
): Promise<{ pause: Pause | null; turned: boolean }> {
  return db.transaction().execute(async (trx) => {
    const turned = ((await change(trx)).numAffectedRows ?? 0n) > 0n;
    if (turned) await sql`select pg_notify(${controlNotices}, '')`.execute(trx);
    return { pause: await readPause(trx), turned };
  });
}
