import { randomUUID } from 'node:crypto';

import type pg from 'pg';

/** The least that a request is kept as: an id, the number that no second one may have, and what was asked. */
export const createRows = `create table if not exists accepted
  (id uuid primary key, to_number text not null unique, body jsonb not null, at timestamptz not null default now())`;

/** In one statement, durable or not at all. */
export async function insertRows(client: pg.Pool | pg.ClientBase, bodies: readonly object[]): Promise<void> {
  await client.query({
    name: 'insert-rows',
    text: `insert into accepted (id, to_number, body)
           select * from unnest($1::uuid[], $2::text[], $3::jsonb[]) on conflict (to_number) do nothing`,
    values: [
      bodies.map(() => randomUUID()),
      bodies.map((body) => (body as { to: string }).to),
      bodies.map((body) => JSON.stringify(body)),
    ],
  });
}
