import type { Batch, BatchRow, ImportLine, ImportedRow, ImportSummary } from './answers';
import { jsonLinesOf, partsOf } from './body-stream';
import type { CreateOptions } from './calls-client';
import { CallsApiError, CallsConnectionError } from './errors';
import { newIdempotencyKey } from './idempotency-key';
import type { Transport } from './transport';

export interface ImportOptions extends CreateOptions {
  /** Told of each row in turn; the next ones wait for what it returns. */
  onRow?: ((row: ImportedRow) => void | Promise<void>) | undefined;
}

/** A file is taken in and read through before the answer begins. */
const importSeconds = 600;

export async function createBatch(
  transport: Transport,
  calls: readonly BatchRow[],
  { idempotencyKey = newIdempotencyKey(), signal }: CreateOptions,
): Promise<Batch> {
  const headers = { 'Idempotency-Key': idempotencyKey };
  return transport.json({ method: 'POST', path: '/calls/batch', json: { calls }, headers, signal });
}

export async function importCsv(
  transport: Transport,
  csv: string | Uint8Array | Blob,
  { idempotencyKey = newIdempotencyKey(), signal, onRow }: ImportOptions,
): Promise<ImportSummary> {
  const headers = { 'Idempotency-Key': idempotencyKey, 'Content-Type': 'text/csv', Accept: '*/*' };
  const request = { method: 'POST', path: '/calls/import', headers, body: csv, timeoutSeconds: importSeconds } as const;
  const body = await transport.stream({ ...request, signal });
  for await (const line of jsonLinesOf<ImportLine>(partsOf(body, signal))) {
    if ('summary' in line) return line.summary;
    if ('problem' in line) {
      const { status, detail } = line.problem;
      throw new CallsApiError(status, line.problem, detail, { idempotencyKey });
    }
    await onRow?.(line);
  }
  throw new CallsConnectionError('The import broke off before its summary', true, { idempotencyKey });
}
