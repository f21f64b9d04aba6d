import pg from 'pg';

/** @returns the name of the violated constraint where the error is PostgreSQL's unique_violation (23505) */
export function violatedUnique(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError && error.code === '23505' ? error.constraint : undefined;
}

/** True where PostgreSQL ended one of several transactions that waited for each other (40P01): it changed nothing. */
export function isDeadlock(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '40P01';
}

/**
 * True for errors that say the server is away rather than the query wrong: SQLSTATE classes 08 (connection), 53
 * (resources), 57 (operator intervention, shutdown), and what the driver says of a socket.
 */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(08|53|57)/.test(error.code ?? '');
  if (!(error instanceof Error)) return false;
  if ('code' in error && /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOST|ENET)/.test(String(error.code)))
    return true;
  return /Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error/i.test(
    error.message,
  );
}

/**
 * True where PostgreSQL refuses a statement's values: SQLSTATE classes 22 (data), 23 (integrity), 54 (program limits).
 * Another try would end the same.
 */
export function refusesValues(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(22|23|54)/.test(error.code ?? '');
}

/** True where the database is away, or cannot serve for a reason that is not in the values: read-only, not migrated … */
export function isDatabaseTrouble(error: unknown): boolean {
  return isDatabaseAway(error) || (error instanceof pg.DatabaseError && !refusesValues(error));
}
