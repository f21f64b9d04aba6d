import { createHash, randomUUID } from 'node:crypto';

import { priorities, type Call, type Json } from '../call/call';
import { canonicalJson, type CallRequest } from '../call/request';
import type { Config } from '../config';
import { findByRequestKey, findBySource, insertCalls, readAcceptedCall, type NewCall } from '../store/accepted-calls';
import { findActiveCall } from '../store/calls';
import { isDeadlock, type CallRow, type Database } from '../store/database';

/** A valid request on its way in. */
export interface IncomingCall {
  request: CallRequest;
  /** `http:<Idempotency-Key>` or `kafka:<requestId>`: the same key never makes two calls. */
  requestKey: string | null;
  /** `<topic>/<partition>/<offset>` of its message: the same message never makes two calls. */
  source: string | null;
}

export type Acceptance =
  /** A new call, durable. */
  | { kind: 'ACCEPTED'; call: Call; row: CallRow }
  /** The same request as before: the call as it was answered then. `sameSource`: the very message, delivered again. */
  | { kind: 'REPLAYED'; call: Call; sameSource: boolean }
  /** The key came before with another body. */
  | { kind: 'KEY_REUSED' }
  | { kind: 'NUMBER_BUSY'; activeCallId: string };

type AcceptancePolicy = Pick<Config, 'MAX_ATTEMPTS' | 'DEFAULT_EXPIRY_SECONDS'>;

/**
 * The one door to a new call, for HTTP and Kafka alike: when it returns, each accepted call is durable and its row is
 * the order to start its workflow. Whether a number is free is decided by the unique index, never by a read before.
 *
 * @returns one answer for each request, in their order
 */
export async function acceptCalls(
  db: Database,
  policy: AcceptancePolicy,
  incoming: readonly IncomingCall[],
): Promise<Acceptance[]> {
  const candidates = incoming.map((one) => ({ ...one, newCall: newCallOf(one, policy) }));
  const answers = new Map<string, Acceptance>();
  let open = candidates;
  // A call held back by an active one that ended right after finds no reason any more: it is tried again.
  for (let round = 0; open.length > 0; round++) {
    if (round === 5) throw new Error(`could not decide on ${open.length} calls: their numbers are too busy`);
    const inserted = await insertCalls(
      db,
      open.map((candidate) => candidate.newCall),
    ).catch(noneIfDeadlock);
    if (inserted === undefined) continue;
    for (const { row, call } of inserted) answers.set(row.id, { kind: 'ACCEPTED', row, call });
    for (const { newCall } of open.filter((candidate) => !answers.has(candidate.newCall.id))) {
      const reason = await whyHeldBack(db, newCall);
      if (reason !== undefined) answers.set(newCall.id, reason);
    }
    open = open.filter((candidate) => !answers.has(candidate.newCall.id));
  }
  return candidates.flatMap((candidate) => answers.get(candidate.newCall.id) ?? []);
}

/** Two batches with the same numbers in another order wait for each other; the one that is ended inserted nothing. */
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

/** The key before the number: a repeated request is answered with its own call, not refused because of it. */
async function whyHeldBack(db: Database, newCall: NewCall): Promise<Acceptance | undefined> {
  const bySource = newCall.source === null ? undefined : await findBySource(db, newCall.source);
  if (bySource) return { kind: 'REPLAYED', call: await readAcceptedCall(db, bySource.id), sameSource: true };

  const byKey = newCall.requestKey === null ? undefined : await findByRequestKey(db, newCall.requestKey);
  if (byKey) {
    // Of a forgotten call nobody can tell whether it was the same request; it makes no second call all the same.
    const comparable = byKey.forgotten_at === null;
    if (comparable && byKey.request_hash !== newCall.requestHash) return { kind: 'KEY_REUSED' };
    return { kind: 'REPLAYED', call: await readAcceptedCall(db, byKey.id), sameSource: false };
  }
  const active = await findActiveCall(db, newCall.to);
  return active && { kind: 'NUMBER_BUSY', activeCallId: active.id };
}
