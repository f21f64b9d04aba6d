import { z } from '@hono/zod-openapi';
import { stringify } from 'csv-stringify/sync';

import type { Call } from '../call/call';
import { parseRequest, type RequestSchemas } from '../call/request';
import type { Logger } from '../log';
import { listCalls, type CallFilter, type MatchCounter } from '../store/call-list';
import type { Database } from '../store/database';
import { callOf } from '../store/rows';
import { filterParameters, queryOf } from './call-filter';
import { problemAnswers, type Endpoint } from './endpoint';
import { completedCall, exampleCsv } from './examples';
import { callSchema } from './schemas';
import { streamed } from './streaming';

const callsPerPart = 500;

export interface CallExportDeps {
  db: Database;
  matches: MatchCounter;
  schemas: RequestSchemas;
  log: Logger;
}

const mediaTypes = { csv: 'text/csv; charset=utf-8', ndjson: 'application/x-ndjson' } as const;
type Format = keyof typeof mediaTypes;
const formats = Object.keys(mediaTypes) as Format[];

/** `GET /calls/export`: all that match, newest first, as a file. */
export function exportCalls({ db, matches, schemas, log }: CallExportDeps): Endpoint {
  const schema = z.strictObject({
    format: z.enum(formats, `must be among ${formats.join(', ')}`).openapi({ example: 'csv' }),
    ...filterParameters(schemas),
  });
  return {
    access: 'read',
    description: {
      operationId: 'exportCalls',
      summary: 'All calls that match, newest first, as CSV or as one JSON object a line',
      description:
        'Calls accepted after it began are not in it; each call is as it was when its part of the file was read. A file ' +
        'that breaks off ends without the end of its chunked encoding: clients tell it from one that is whole.',
      tags: ['Calls'],
      request: { query: schema },
      responses: {
        200: {
          description: 'The calls',
          content: {
            'text/csv': { schema: z.string(), example: exampleCsv },
            'application/x-ndjson': { schema: callSchema, example: completedCall },
          },
        },
        ...problemAnswers('INVALID_REQUEST'),
      },
    },
    handle: async (c) => {
      const { format, ...filter } = parseRequest(schema, queryOf(c));
      const total = await matches.count(filter);
      return streamed(c, {
        headers: {
          'Content-Type': mediaTypes[format],
          'Content-Disposition': `attachment; filename="calls.${format}"`,
        },
        log,
        parts: () => fileOf(db, filter, total, format),
      });
    },
  };
}

/** Page by page, each a query of its own: an export that takes an hour holds no transaction open. */
async function* fileOf(db: Database, filter: CallFilter, total: number, format: Format) {
  if (format === 'csv') yield `${csvColumns.join(',')}\n`;
  for (let afterSeq: number | undefined; ;) {
    const { rows, nextSeq } = await listCalls(db, filter, { limit: callsPerPart, total, afterSeq });
    const calls = rows.map(callOf);
    if (calls.length > 0)
      yield format === 'csv' ? csvOf(calls) : calls.map((call) => `${JSON.stringify(call)}\n`).join('');
    if (nextSeq === null) return;
    afterSeq = nextSeq;
  }
}

type CsvColumn = 'to' | 'scriptId' | 'metadata' | Exclude<keyof Call, 'payload'>;
const csvColumns: readonly CsvColumn[] = [
  'id',
  'to',
  'scriptId',
  'status',
  'priority',
  'attempts',
  'maxAttempts',
  'lastError',
  'externalCallId',
  'createdAt',
  'startedAt',
  'endedAt',
  'updatedAt',
  'expiresAt',
  'nextAttemptAt',
  'webhookUrl',
  'forgottenAt',
  'metadata',
];

/** Texts that a spreadsheet would run as formulas are disarmed by an apostrophe; of a number's plus nothing can come. */
function csvOf(calls: readonly Call[]): string {
  return stringify(
    calls.map(({ payload: { metadata, ...payload }, ...call }) => ({
      ...call,
      ...payload,
      metadata: JSON.stringify(metadata),
    })),
    {
      columns: [...csvColumns],
      escape_formulas: true,
      cast: { string: (value, { column }) => (column === 'to' ? { value, escape_formulas: false } : value) },
    },
  );
}
