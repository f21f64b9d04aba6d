import { pipeline, Readable } from 'node:stream';

import { CsvError, parse } from 'csv-parse';

import { CallError, type FieldError } from '../call/errors';
import type { RequestSchemas } from '../call/request';
import type { Upload } from './upload';

/** A record larger than any call can be: more likely a quote that was never closed. */
const maxRecordBytes = 64 * 1024;

const metadataPrefix = 'metadata.';
const numericFields: readonly string[] = ['priority'];

type ReadRecord = (fields: readonly string[]) => Record<string, unknown> | CallError;

/**
 * Reads through a CSV file whose first line names the columns.
 *
 * @returns how many rows follow, and how one is read
 * @throws CallError INVALID_CSV; INVALID_REQUEST for a column that is not known, missing, or there twice;
 *   PAYLOAD_TOO_LARGE for more rows than `maxRows`
 */
export async function inspectRows(upload: Upload, schemas: RequestSchemas, maxRows: number) {
  let readRecord: ReadRecord | undefined;
  let rows = -1;
  for await (const fields of recordsOf(upload)) {
    readRecord ??= readerOf(fields, schemas);
    rows++;
    if (rows > maxRows) throw new CallError('PAYLOAD_TOO_LARGE', `The file has more than ${maxRows} rows.`);
  }
  if (!readRecord) throw new CallError('INVALID_CSV', 'The file is empty; its first line must name the columns.');
  return { rows, readRecord };
}

/** The rows after the first line, as the fields of a request. */
export async function* rowsOf(upload: Upload, readRecord: ReadRecord) {
  let isHeader = true;
  for await (const fields of recordsOf(upload)) {
    if (!isHeader) yield readRecord(fields);
    isHeader = false;
  }
}

async function* recordsOf(upload: Upload): AsyncGenerator<string[], void, undefined> {
  const parser = parse({ relax_column_count: true, skip_empty_lines: true, max_record_size: maxRecordBytes });
  // What goes wrong before it, the parser throws as well.
  pipeline(Readable.from(textOf(upload)), parser, () => undefined);
  try {
    for await (const fields of parser) yield fields as string[];
  } catch (error) {
    // The parser's own message quotes the file; a client's number must not end up in a log through it.
    if (error instanceof CsvError) {
      const line = 'lines' in error ? ` at about line ${String(error['lines'])}` : '';
      throw new CallError('INVALID_CSV', `The file is not valid CSV${line}: ${wordsOf(error.code)}.`);
    }
    throw error;
  }
}

async function* textOf(upload: Upload): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (chunk?: Buffer) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw new CallError('INVALID_CSV', 'The file is not valid UTF-8.');
    }
  };
  for await (const chunk of upload.chunks()) yield decode(chunk);
  yield decode();
}

/** `CSV_QUOTE_NOT_CLOSED`: quote not closed. */
function wordsOf(code: string): string {
  return code.replace(/^CSV_/, '').replaceAll('_', ' ').toLowerCase();
}

/** The columns beside those of the metadata. */
export function columnsOf(schemas: RequestSchemas): string[] {
  return Object.keys(schemas.message.shape).filter((name) => name !== 'metadata');
}

/** @throws CallError INVALID_REQUEST naming every bad column */
function readerOf(columns: readonly string[], schemas: RequestSchemas): ReadRecord {
  const known = columnsOf(schemas);
  const errors: FieldError[] = columns.flatMap((path, index) => {
    const isMetadata =
      path.startsWith(metadataPrefix) && !['', '__proto__'].includes(path.slice(metadataPrefix.length));
    if (!known.includes(path) && !isMetadata) return [{ path, message: 'is not a known column' }];
    return columns.indexOf(path) === index ? [] : [{ path, message: 'is there more than once' }];
  });
  const missing = ['to', 'scriptId'].filter((name) => !columns.includes(name));
  errors.push(...missing.map((path) => ({ path, message: 'is missing' })));
  if (errors.length > 0) {
    const detail = errors.map(({ path, message }) => `column ${path} ${message}`).join('; ');
    throw new CallError('INVALID_REQUEST', detail, { errors });
  }
  return (values) => {
    if (values.length !== columns.length) {
      return new CallError('INVALID_REQUEST', `the row has ${values.length} fields, the first line ${columns.length}`);
    }
    const given = columns.flatMap((name, index) => {
      const value = values[index] ?? '';
      return value === '' ? [] : [[name, value] as const];
    });
    const metadata = given.filter(([name]) => name.startsWith(metadataPrefix));
    return {
      ...Object.fromEntries(
        given.filter(([name]) => known.includes(name)).map(([name, value]) => [name, fieldOf(name, value)]),
      ),
      ...(metadata.length > 0 && {
        metadata: Object.fromEntries(metadata.map(([name, value]) => [name.slice(metadataPrefix.length), value])),
      }),
    };
  };
}

/** CSV knows texts alone; what is no number goes on as it is, to be refused by the field's own words. */
function fieldOf(name: string, value: string): string | number {
  return numericFields.includes(name) && /^\d{1,15}$/.test(value) ? Number(value) : value;
}
