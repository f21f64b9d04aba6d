import { sql } from 'kysely';

/** A time as `Date.prototype.toISOString` writes it. */
export function isoTime(column: string) {
  return sql`to_char(date_trunc('milliseconds', ${sql.ref(column)}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
