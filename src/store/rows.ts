import { sql, type RawBuilder } from 'kysely';

import { priorities, type Attempt, type Call } from '../call/call';
import type { AttemptRow, CallRow } from './database';
import { isoTime } from './iso-time';

/** What the contract's Call shows of a row. */
export type ShownRow = Pick<
  CallRow,
  | 'id'
  | 'to_number'
  | 'script_id'
  | 'metadata'
  | 'priority'
  | 'status'
  | 'attempts'
  | 'max_attempts'
  | 'last_error'
  | 'external_call_id'
  | 'created_at'
  | 'started_at'
  | 'ended_at'
  | 'updated_at'
  | 'expires_at'
  | 'next_attempt_at'
  | 'webhook_url'
  | 'forgotten_at'
>;

/** The contract's Call from its row. */
export function callOf(row: ShownRow): Call {
  return {
    id: row.id,
    payload: { to: row.to_number, scriptId: row.script_id, metadata: row.metadata },
    priority: row.priority,
    status: row.status,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    lastError: row.last_error,
    externalCallId: row.external_call_id,
    createdAt: row.created_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    endedAt: row.ended_at?.toISOString() ?? null,
    updatedAt: row.updated_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    nextAttemptAt: row.next_attempt_at?.toISOString() ?? null,
    webhookUrl: row.webhook_url,
    forgottenAt: row.forgotten_at?.toISOString() ?? null,
  };
}

/** The same, made by PostgreSQL, so that a statement which changes a call can tell of it. @param from a row of `calls` */
export function callInJson(from: string): RawBuilder<Call> {
  const column = (name: keyof CallRow) => sql.ref(`${from}.${name}`);
  const time = (name: keyof CallRow) => isoTime(`${from}.${name}`);
  return sql`json_build_object(
    'id', ${column('id')},
    'payload', json_build_object('to', ${column('to_number')}, 'scriptId', ${column('script_id')},
                                 'metadata', ${column('metadata')}),
    'priority', ${column('priority')}, 'status', ${column('status')},
    'attempts', ${column('attempts')}, 'maxAttempts', ${column('max_attempts')},
    'lastError', ${column('last_error')}, 'externalCallId', ${column('external_call_id')},
    'createdAt', ${time('created_at')}, 'startedAt', ${time('started_at')}, 'endedAt', ${time('ended_at')},
    'updatedAt', ${time('updated_at')}, 'expiresAt', ${time('expires_at')},
    'nextAttemptAt', ${time('next_attempt_at')},
    'webhookUrl', ${column('webhook_url')}, 'forgottenAt', ${time('forgotten_at')})`;
}

type LaterFields = 'priority' | 'webhookUrl' | 'forgottenAt';

/** The Call that an event's body tells of. One written by an earlier release lacks what calls did not have then. */
export function callToldIn({ call }: { call: Omit<Call, LaterFields> & Partial<Call> }): Call {
  return { priority: priorities.usual, webhookUrl: null, forgottenAt: null, ...call };
}

/** The contract's Attempt from the row of one that has begun. @throws Error for an attempt still waiting for its slot */
export function attemptOf(row: AttemptRow): Attempt {
  if (row.started_at === null || row.slot === null || row.number === null) {
    throw new Error(`attempt ${row.id} has not begun`);
  }
  return {
    id: row.id,
    callId: row.call_id,
    number: row.number,
    slot: row.slot,
    externalCallId: row.external_call_id,
    outcome: row.outcome,
    failureReason: row.failure_reason,
    durationSec: row.duration_sec,
    queuedAt: row.queued_at.toISOString(),
    startedAt: row.started_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
  };
}

/** The same, made by PostgreSQL. @param from a row of `attempts` */
export function attemptInJson(from: string): RawBuilder<Attempt> {
  const column = (name: keyof AttemptRow) => sql.ref(`${from}.${name}`);
  const time = (name: keyof AttemptRow) => isoTime(`${from}.${name}`);
  return sql`json_build_object(
    'id', ${column('id')}, 'callId', ${column('call_id')},
    'number', ${column('number')}, 'slot', ${column('slot')},
    'externalCallId', ${column('external_call_id')}, 'outcome', ${column('outcome')},
    'failureReason', ${column('failure_reason')}, 'durationSec', ${column('duration_sec')},
    'queuedAt', ${time('queued_at')}, 'startedAt', ${time('started_at')}, 'endedAt', ${time('ended_at')})`;
}
