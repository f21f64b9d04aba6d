import type { PostgresPoolClient } from 'kysely';
import pg from 'pg';

/** A text that came so often in this process comes again: it is worth what PostgreSQL keeps of it in each session. */
const oftenEnough = 20;
const mostNames = 64;
/** Texts that are made anew for each number of parameters must not fill the memory. */
const mostCounted = 1_000;

/**
 * The names of statements that PostgreSQL reads and plans once a session instead of each time, which is half of what it
 * does for ours (measured). Without one go those with a limit: which plan is best for a list depends on what is asked for,
 * and a plan that is kept is one for all.
 */
class StatementNames {
  private readonly times = new Map<string, number>();
  private readonly names = new Map<string, string>();
  private given = 0;

  of(text: string): string | undefined {
    return this.names.get(text) ?? this.count(text);
  }

  /** Statements under their names, in all sessions, are of tables as they were. */
  forget(): void {
    this.names.clear();
  }

  private count(text: string): string | undefined {
    if (text.includes(' limit ') || this.names.size >= mostNames) return undefined;
    const times = (this.times.get(text) ?? 0) + 1;
    if (this.times.size >= mostCounted) this.times.clear();
    this.times.set(text, times);
    if (times < oftenEnough) return undefined;
    const name = `known_${++this.given}`;
    this.names.set(text, name);
    return name;
  }
}

const names = new StatementNames();

/**
 * A session whose statements go by their names where they have one. Where a table has changed since, as by a migration
 * while this process runs, one is sent anew; within a transaction, which is lost by then, the error is its caller's.
 */
export function withNames(client: pg.ClientBase): Pick<PostgresPoolClient, 'query'> {
  const query = async (text: string, values: readonly unknown[]): Promise<pg.QueryResult> => {
    const name = values.length === 0 ? undefined : names.of(text);
    if (name === undefined) return client.query(text, [...values]);
    const alone = client.getTransactionStatus() === 'I';
    try {
      return await client.query({ name, text, values: [...values] });
    } catch (error) {
      if (!isOutdated(error)) throw error;
      names.forget();
      if (!alone) throw error;
      return client.query(text, [...values]);
    }
  };
  // Kysely's type is also of cursors, which nothing here opens.
  return { query: query as unknown as PostgresPoolClient['query'] };
}

/** "cached plan must not change result type" (0A000): it was refused before it did anything. */
function isOutdated(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.routine === 'RevalidateCachedQuery';
}
