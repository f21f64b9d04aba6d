import { sql, type RawBuilder } from 'kysely';

/** `any(…)` with one parameter, however many values there are: the statement's text stays the same. */
export function anyOf(values: readonly string[], type: 'uuid' | 'text' = 'uuid'): RawBuilder<string> {
  return sql<string>`any(${[...values]}::${sql.raw(type)}[])`;
}
