import { sql, type Compilable, type CompiledQuery, type Expression, type RawBuilder } from 'kysely';

import type { Database } from './database';

/** A value, or what stands for it in a statement. */
export type Given<Value> = Value | Expression<Value>;

export type Blanks<Values> = { readonly [Name in keyof Values]-?: RawBuilder<Values[Name]> };

/** Stands among a statement's parameters for a value that each execution brings. */
class Blank {
  constructor(readonly name: PropertyKey) {}
}

/**
 * A statement with blanks for its values. Kysely builds it once in a process, and each execution only fills them in: to
 * build one with several parts takes it 0.2 ms, and for the first hundred times 1 ms.
 */
export function builtOnce<Values extends object, Row>(
  build: (db: Database, blanks: Blanks<Values>) => Compilable<Row>,
): (db: Database, values: Values) => Promise<Row[]> {
  // Of the type that is asked of it, whatever name it is asked for.
  const blanks = new Proxy({}, { get: (_, name) => sql.val(new Blank(name)) }) as Blanks<Values>;
  let built: CompiledQuery<Row> | undefined;
  return async (db, values) => {
    built ??= build(db, blanks).compile();
    const parameters = built.parameters.map((parameter) =>
      parameter instanceof Blank ? values[parameter.name as keyof Values] : parameter,
    );
    const { rows } = await db.executeQuery<Row>({ ...built, parameters });
    return rows;
  };
}
