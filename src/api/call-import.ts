import { z } from '@hono/zod-openapi';

import { CallError } from '../call/errors';
import type { RequestSchemas } from '../call/request';
import { acceptRows, readRow, type AcceptRowsDeps, type RowOutcome } from '../intake/accept-rows';
import type { Logger } from '../log';
import { columnsOf, inspectRows, rowsOf } from './csv-rows';
import { problemAnswers, type Endpoint } from './endpoint';
import { exampleFile, exampleImportLine } from './examples';
import { idempotencyHeaders, idempotencyKeyOf, KeysInFlight } from './idempotency-key';
import { requireType } from './read-body';
import { asCallError, loggable, problemOf } from './render-error';
import { importLineSchema } from './schemas';
import { streamed } from './streaming';
import { takeIn, type Upload } from './upload';

const maxRows = 100_000;
const maxBytes = 64 * 1024 * 1024;
const rowsPerStatement = 250;

export interface CallImportDeps extends AcceptRowsDeps {
  schemas: RequestSchemas;
  log: Logger;
  /** The process is about to end. */
  stopping: AbortSignal;
}

interface Import {
  upload: Upload;
  readRecord: Parameters<typeof rowsOf>[1];
  key: string | undefined;
  traceparent: string | undefined;
}

/** `POST /calls/import`: a CSV file of calls, each accepted or refused by itself. */
export function importCalls(deps: CallImportDeps): Endpoint {
  const inFlight = new KeysInFlight();
  return {
    access: 'write',
    description: {
      operationId: 'importCalls',
      summary: `Accepts the calls of a CSV file of up to ${maxRows} rows, with a line for each`,
      description:
        `UTF-8, separated by commas. Its first line names the columns: ${columnsOf(deps.schemas).join(', ')}, and \`metadata.<name>\` for ` +
        'texts of the metadata; to and scriptId must be there, and an empty cell counts as not given. The file is read ' +
        'through first, and what is wrong with it as a whole is refused before any call is accepted. With an ' +
        'Idempotency-Key a row without a requestId has a key of its own from that and its number: a file that is sent ' +
        'again, whether or not it came through, makes no second call of any row.',
      tags: ['Calls'],
      request: {
        headers: idempotencyHeaders,
        body: { required: true, content: { 'text/csv': { schema: z.string(), example: exampleFile } } },
      },
      responses: {
        200: {
          description:
            'A JSON object a line: one for each row, in their order, then a summary; or, where it broke off, a problem, ' +
            'after which the same file is to be sent again with the same Idempotency-Key',
          content: { 'application/x-ndjson': { schema: importLineSchema, example: exampleImportLine } },
        },
        ...problemAnswers(
          'INVALID_REQUEST',
          'INVALID_CSV',
          'REQUEST_TIMEOUT',
          'IDEMPOTENCY_KEY_IN_FLIGHT',
          'PAYLOAD_TOO_LARGE',
          'UNSUPPORTED_MEDIA_TYPE',
        ),
      },
    },
    handle: async (c) => {
      const key = idempotencyKeyOf(c);
      requireType(c, 'text/csv');
      const answered = inFlight.claim(key);
      const upload = await takeIn(c, maxBytes).catch((error: unknown) => {
        answered();
        throw error;
      });
      const close = () => upload.close().finally(answered);
      try {
        const traceparent = c.req.header('traceparent');
        const { readRecord } = await inspectRows(upload, deps.schemas, maxRows);
        return streamed(c, {
          headers: { 'Content-Type': 'application/x-ndjson' },
          log: deps.log,
          done: close,
          parts: () => reportOf(deps, { upload, readRecord, key, traceparent }, c.req.path),
        });
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

/** Makes the calls, and says of each row what became of it; the next rows wait until that was read. */
async function* reportOf(deps: CallImportDeps, { upload, readRecord, key, traceparent }: Import, path: string) {
  const summary = { rows: 0, accepted: 0, replayed: 0, refused: 0 };
  try {
    for await (const rows of inGroups(rowsOf(upload, readRecord), rowsPerStatement)) {
      if (deps.stopping.aborted) throw new CallError('DEPENDENCY_UNAVAILABLE', 'The server is about to stop.');
      const first = summary.rows + 1;
      const incoming = rows.map((row, index) =>
        row instanceof CallError
          ? row
          : readRow(deps.schemas, row, {
              key: key === undefined ? null : `import:${key}/${first + index}`,
              traceparent,
            }),
      );
      const outcomes = await acceptRows(deps, incoming);
      for (const { status } of outcomes) summary[counters[status]]++;
      summary.rows += outcomes.length;
      yield outcomes.map((outcome, index) => `${JSON.stringify(lineOf(outcome, first + index))}\n`).join('');
    }
    yield `${JSON.stringify({ summary })}\n`;
  } catch (error) {
    const known = asCallError(error);
    deps.log.warn({ rows: summary.rows, err: loggable(error) }, 'an import broke off; it is to be sent again');
    yield `${JSON.stringify({ problem: problemOf(known, path) })}\n`;
  }
}

const counters = { ACCEPTED: 'accepted', REPLAYED: 'replayed', REFUSED: 'refused' } as const;

function lineOf(outcome: RowOutcome, row: number) {
  if (outcome.status !== 'REFUSED') return { row, status: outcome.status, callId: outcome.call.id };
  const { code, message, errors, activeCallId } = outcome.error;
  return {
    row,
    status: outcome.status,
    code,
    error: message,
    ...(errors && { errors }),
    ...(activeCallId !== undefined && { activeCallId }),
  };
}

async function* inGroups<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[], void, undefined> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
