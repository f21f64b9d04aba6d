import pg from 'pg';

import { runOnce } from '../program';
import { callAt } from '../requests';
import { createRows, insertRows } from './rows';

/** How many rows a second PostgreSQL takes in so many at once, each statement a commit. */
export interface InsertInput {
  url: string;
  connections: number;
  rowsPerStatement: number;
  seconds: number;
}

/** Apart from those that a bare server of the same database took in. */
const firstNumber = 5_000_000;

export interface InsertResult {
  perSecond: number;
}

runOnce(async ({ url, connections, rowsPerStatement, seconds }: InsertInput): Promise<InsertResult> => {
  const pool = new pg.Pool({ connectionString: url, max: connections });
  await pool.query(createRows);
  let next = 0;
  const insertNext = async (): Promise<void> => {
    const first = next;
    next += rowsPerStatement;
    const rows = Array.from({ length: rowsPerStatement }, (_, index) => callAt(first + index, { firstNumber }));
    await insertRows(pool, rows);
  };
  await Promise.all(Array.from({ length: connections }, insertNext));
  const [startedAt, before] = [performance.now(), next];
  const insertOn = async (): Promise<void> => {
    while (performance.now() - startedAt < seconds * 1_000) await insertNext();
  };
  await Promise.all(Array.from({ length: connections }, insertOn));
  const perSecond = ((next - before) / (performance.now() - startedAt)) * 1_000;
  await pool.end();
  return { perSecond };
});
