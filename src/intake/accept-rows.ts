import type { Call } from '../call/call';
import { CallError } from '../call/errors';
import { parseRequest, type RequestSchemas } from '../call/request';
import type { Config } from '../config';
import type { Database } from '../store/database';
import { refusesValues } from '../store/database-errors';
import type { Starter } from './starter';
import { acceptCalls, type Acceptance, type IncomingCall } from './accept-call';

export interface AcceptRowsDeps {
  db: Database;
  config: Pick<Config, 'MAX_ATTEMPTS' | 'DEFAULT_EXPIRY_SECONDS'>;
  starter: Pick<Starter, 'handOffSoon' | 'startsWithinSeconds'>;
}

/** What became of one of many requests that came together. */
export type RowOutcome = { status: 'ACCEPTED' | 'REPLAYED'; call: Call } | { status: 'REFUSED'; error: CallError };

/**
 * One of many requests, or what is wrong with it.
 *
 * @param value the fields of `POST /calls`, and optionally a `requestId`, which is as good as an Idempotency-Key
 * @param of `key`: the row's own where it names no `requestId`; `traceparent`: of the request that brought all rows
 */
export function readRow(
  schemas: RequestSchemas,
  value: unknown,
  of: { key: string | null; traceparent: string | undefined },
): IncomingCall | CallError {
  try {
    const { requestId, ...request } = parseRequest(schemas.message, value);
    return {
      request,
      requestKey: requestId === undefined ? of.key : `http:${requestId}`,
      source: null,
      traceparent: of.traceparent,
    };
  } catch (error) {
    if (error instanceof CallError) return error;
    throw error;
  }
}

/**
 * Makes a call of each row that can have one. A bad row never spoils its neighbours; with their keys, rows that come again
 * make no second call.
 *
 * @returns an outcome for each row, in their order
 * @throws where the database is in trouble: some rows may have been accepted, and their keys will tell
 */
export async function acceptRows(
  deps: AcceptRowsDeps,
  rows: readonly (IncomingCall | CallError)[],
): Promise<RowOutcome[]> {
  const answers = (await acceptEach(deps, rows.filter(isIncoming))).values();
  return rows.map((row) => (isIncoming(row) ? outcomeOf(answers.next().value) : { status: 'REFUSED', error: row }));
}

function isIncoming(row: IncomingCall | CallError): row is IncomingCall {
  return !(row instanceof CallError);
}

/**
 * Decides on requests that came together, and hands the calls that are made of them to the starter. Where PostgreSQL
 * refuses one, and with it the whole statement, the halves go on by themselves.
 *
 * @returns an answer for each, in their order; an error, with PostgreSQL's as its cause, for what it refuses
 * @throws where the database is in trouble
 */
export async function acceptEach(
  deps: AcceptRowsDeps,
  incoming: readonly IncomingCall[],
): Promise<(Acceptance | CallError)[]> {
  if (incoming.length === 0) return [];
  try {
    const answers = await acceptCalls(deps.db, deps.config, incoming, deps.starter.startsWithinSeconds);
    deps.starter.handOffSoon(...answers.flatMap((answer) => (answer.kind === 'ACCEPTED' ? answer.row : [])));
    return answers;
  } catch (error) {
    if (!refusesValues(error)) throw error;
    if (incoming.length === 1)
      return [new CallError('INTERNAL_ERROR', 'The call could not be stored.', { cause: error })];
    const half = Math.ceil(incoming.length / 2);
    const first = await acceptEach(deps, incoming.slice(0, half));
    return [...first, ...(await acceptEach(deps, incoming.slice(half)))];
  }
}

function outcomeOf(answer: Acceptance | CallError | undefined): RowOutcome {
  if (answer instanceof CallError) return { status: 'REFUSED', error: answer };
  switch (answer?.kind) {
    case 'ACCEPTED':
    case 'REPLAYED':
      return { status: answer.kind, call: answer.call };
    case 'KEY_REUSED':
      return { status: 'REFUSED', error: new CallError('IDEMPOTENCY_KEY_REUSED') };
    case 'NUMBER_BUSY':
      return {
        status: 'REFUSED',
        error: new CallError('NUMBER_BUSY', undefined, { activeCallId: answer.activeCallId }),
      };
    case undefined:
      throw new Error('the door gave no answer');
  }
}
