import { createHash, randomUUID } from 'node:crypto';

import { Counter } from 'prom-client';

import { priorities, type Call, type Json } from '../call/call';
import { canonicalJson, type CallRequest } from '../call/request';
import type { Config } from '../config';
import { registry } from '../metrics';
import {
  findByRequestKeys,
  findBySources,
  insertCalls,
  readAcceptedCalls,
  type NewCall,
} from '../store/accepted-calls';
import { findActiveCalls } from '../store/calls';
import type { Database } from '../store/database';
import type { HandoffRow } from '../store/handoffs';
import { isDeadlock } from '../store/database-errors';
import { traceAcceptance } from '../tracing';

/** A valid request on its way in. */
export interface IncomingCall {
  request: CallRequest;
  /**
   * The same key never makes two calls: `http:<Idempotency-Key>` or `kafka:<requestId>`; of a row that names none
   * `batch:<Idempotency-Key>/<index>` or `import:<Idempotency-Key>/<row>`.
   */
  requestKey: string | null;
  /** `<topic>/<partition>/<offset>` of its message: the same message never makes two calls. */
  source: string | null;
  /** Of its request or message, as W3C Trace Context has it. */
  traceparent?: string | undefined;
}

export type Acceptance =
  /** A new call, durable. */
  | { kind: 'ACCEPTED'; call: Call; row: HandoffRow }
  /** The same request as before: the call as it was answered then. `sameSource`: the very message, delivered again. */
  | { kind: 'REPLAYED'; call: Call; sameSource: boolean }
  /** The key came before with another body. */
  | { kind: 'KEY_REUSED' }
  | { kind: 'NUMBER_BUSY'; activeCallId: string };

type AcceptancePolicy = Pick<Config, 'MAX_ATTEMPTS' | 'DEFAULT_EXPIRY_SECONDS'>;

const requestsAnswered = new Counter({
  name: 'orchestrator_requests_total',
  help: 'Valid requests for a call, by the door that they came by and what became of them',
  labelNames: ['door', 'answer'],
  registers: [registry],
});

/**
 * The one door to a new call, for HTTP and Kafka alike: when it returns, each accepted call is durable and its row is
 * the order to start its workflow. Whether a number is free is decided by the unique index, never by a read before.
 *
 * @param startsWithinSeconds what waits to be started before these takes about so long
 * @returns one answer for each request, in their order
 */
export async function acceptCalls(
  db: Database,
  policy: AcceptancePolicy,
  incoming: readonly IncomingCall[],
  startsWithinSeconds = 0,
): Promise<Acceptance[]> {
  const startedAt = Date.now();
  const candidates = incoming.map((one) => ({ ...one, newCall: newCallOf(one, policy) }));
  const answers = new Map<string, Acceptance>();
  let open = candidates;
  // A call held back by an active one that ended right after finds no reason any more: it is tried again.
  for (let round = 0; open.length > 0; round++) {
    if (round === 5) throw new Error(`could not decide on ${open.length} calls: their numbers are too busy`);
    const inserted = await insertCalls(
      db,
      firstOfEach(open.map((candidate) => candidate.newCall)),
      startsWithinSeconds,
    ).catch(noneIfDeadlock);
    if (inserted === undefined) continue;
    for (const { row, call } of inserted) answers.set(row.id, { kind: 'ACCEPTED', row, call });
    const heldBack = open.filter((candidate) => !answers.has(candidate.newCall.id));
    const reasons = await whyHeldBack(
      db,
      heldBack.map(({ newCall }) => newCall),
    );
    for (const [id, reason] of reasons) answers.set(id, reason);
    open = heldBack.filter((candidate) => !answers.has(candidate.newCall.id));
  }
  return candidates.flatMap(({ newCall, source, traceparent }) => {
    const answer = answers.get(newCall.id);
    if (answer === undefined) return [];
    const door = source === null ? 'http' : 'kafka';
    requestsAnswered.inc({ door, answer: answer.kind });
    if (answer.kind === 'ACCEPTED') traceAcceptance(newCall.id, { door, startedAt, traceparent });
    return answer;
  });
}

/** Of those with one request key, or one source, the first that came: which one a statement takes is not by their order. */
function firstOfEach(calls: readonly NewCall[]): NewCall[] {
  const seen = new Set<string>();
  return calls.filter(({ requestKey, source }) => {
    const names = [requestKey && `key ${requestKey}`, source && `source ${source}`].filter((name) => name !== null);
    const isFirst = !names.some((name) => seen.has(name));
    for (const name of names) seen.add(name);
    return isFirst;
  });
}

/** Two that meet in the same numbers and keys may wait for each other; the one that is ended inserted nothing. */
function noneIfDeadlock(error: unknown): undefined {
  if (!isDeadlock(error)) throw error;
}

function newCallOf({ request, requestKey, source }: IncomingCall, policy: AcceptancePolicy): NewCall {
  const { to, scriptId, metadata = {}, expiresAt, priority = priorities.usual, webhookUrl } = request;
  return {
    id: randomUUID(),
    to,
    scriptId,
    metadata,
    priority,
    expiresAt: new Date(expiresAt ?? Date.now() + policy.DEFAULT_EXPIRY_SECONDS * 1_000),
    maxAttempts: policy.MAX_ATTEMPTS,
    requestKey,
    requestHash:
      requestKey === null
        ? null
        : hashOf({ to, scriptId, metadata, expiresAt: expiresAt ?? null, priority, webhookUrl: webhookUrl ?? null }),
    source,
    webhookUrl: webhookUrl ?? null,
  };
}

interface HashedRequest {
  [name: string]: Json;
  priority: number;
  webhookUrl: string | null;
}

/**
 * What two requests with one key are compared by. The usual priority is left out, and a webhookUrl that there is not:
 * named or not they ask for the same, and the hashes that earlier releases stored know of neither.
 */
function hashOf({ priority, webhookUrl, ...request }: HashedRequest): string {
  const compared = {
    ...request,
    ...(priority !== priorities.usual && { priority }),
    ...(webhookUrl !== null && { webhookUrl }),
  };
  return createHash('sha256').update(canonicalJson(compared)).digest('hex');
}

/**
 * The key before the number: a repeated request is answered with its own call, not refused because of it.
 *
 * @returns by the id it would have had; without one for which there is no reason any more
 */
async function whyHeldBack(db: Database, heldBack: readonly NewCall[]): Promise<Map<string, Acceptance>> {
  const bySource = await findBySources(
    db,
    heldBack.flatMap(({ source }) => source ?? []),
  );
  const byKey = await findByRequestKeys(
    db,
    heldBack.flatMap(({ requestKey }) => requestKey ?? []),
  );
  const active = await findActiveCalls(
    db,
    heldBack.map(({ to }) => to),
  );
  const answered = await readAcceptedCalls(
    db,
    [...bySource.values(), ...byKey.values()].map(({ id }) => id),
  );
  const reasonOf = ({ source, requestKey, requestHash, to }: NewCall): Acceptance | undefined => {
    const sameMessage = source === null ? undefined : bySource.get(source);
    const sameKey = requestKey === null ? undefined : byKey.get(requestKey);
    const call = answered.get((sameMessage ?? sameKey)?.id ?? '');
    if (call && sameMessage) return { kind: 'REPLAYED', call, sameSource: true };
    // Of a forgotten call nobody can tell whether it was the same request; it makes no second call all the same.
    if (sameKey?.forgotten_at === null && sameKey.request_hash !== requestHash) return { kind: 'KEY_REUSED' };
    if (call) return { kind: 'REPLAYED', call, sameSource: false };
    const busy = active.get(to);
    return busy && { kind: 'NUMBER_BUSY', activeCallId: busy.id };
  };
  return new Map(
    heldBack.flatMap((newCall) => {
      const reason = reasonOf(newCall);
      return reason ? [[newCall.id, reason]] : [];
    }),
  );
}
