import {
  Kysely,
  PostgresDialect,
  type ColumnType,
  type Generated,
  type PostgresPool,
  type Selectable,
  type Transaction,
} from 'kysely';
import pg from 'pg';

import type { KeyAccess } from '../call/access';
import type { AttemptOutcome, CallStatus, Metadata, ReportStatus } from '../call/call';
import type { CallEventType } from '../call/event';
import type { WebhookDeliveryState } from '../call/webhook';
import { withNames } from './prepared-statements';

/** bigint columns here count rows and events: they stay far below 2^53, so a number holds them. */
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

type Json<T> = ColumnType<T, string, string>;
type Time = ColumnType<Date, Date | string, Date | string>;
type NullableTime = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;

/** What the call's workflow must still be told; docs/one-call.md tells who does it and when. */
export type Handoff = 'START' | 'EDITED' | 'CANCEL' | 'FORGET';

export interface CallsTable {
  id: string;
  /** Order of acceptance. */
  seq: Generated<number>;
  /** Place in the queue for a slot (queue-place.ts), of its `seq`, or of a new number where the call was retried. */
  queue_seq: Generated<number>;
  priority: Generated<number>;
  /** 1, and one more for each retry: tells the runs of an earlier round that they are over. */
  round: Generated<number>;
  to_number: string;
  script_id: string;
  metadata: Json<Metadata>;
  status: Generated<CallStatus>;
  attempts: Generated<number>;
  max_attempts: number;
  last_error: string | null;
  external_call_id: string | null;
  created_at: Generated<Date>;
  started_at: NullableTime;
  ended_at: NullableTime;
  updated_at: Generated<Date>;
  expires_at: Time;
  next_attempt_at: NullableTime;
  /** Number of the call's latest event. */
  event_sequence: Generated<number>;
  handoff: Handoff | null;
  handoff_at: NullableTime;
  /** Where it came from: `http:<Idempotency-Key>` or `kafka:<requestId>`. */
  request_key: string | null;
  request_hash: string | null;
  /** Written by the database; of a forgotten key it is what is left. */
  request_key_hash: Generated<string | null>;
  /** `<topic>/<partition>/<offset>` of the message it came by. */
  source: string | null;
  webhook_url: string | null;
  /** When that URL answered 410 Gone: nothing is sent to it any more. */
  webhook_gone_at: NullableTime;
  /** When its personal data was forgotten (forgotten-calls.ts): it never starts again. */
  forgotten_at: NullableTime;
}

export interface AttemptsTable {
  id: string;
  call_id: string;
  round: number;
  /** The call's place in the queue when the attempt joined it. */
  queue_seq: number;
  /** The workflow run whose attempt it is, and its place in the chain of retries: 1 for the first. */
  run_id: string;
  run_number: number;
  /** Set when the attempt begins, that is, when it claims its slot. */
  number: number | null;
  slot: number | null;
  to_number: string | null;
  external_call_id: string | null;
  /** The provider may have placed the call, though no answer told us its id. */
  in_doubt: Generated<boolean>;
  /** When the provider was last asked to place it. */
  asked_at: NullableTime;
  queued_at: Generated<Date>;
  started_at: NullableTime;
  ended_at: NullableTime;
  outcome: AttemptOutcome | null;
  failure_reason: string | null;
  duration_sec: number | null;
}

export interface ProviderReportsTable {
  id: Generated<number>;
  attempt_id: string | null;
  external_call_id: string;
  status: ReportStatus;
  duration_sec: number | null;
  failure_reason: string | null;
  completed_at: Time;
  received_at: Generated<Date>;
  delivered_at: NullableTime;
}

export interface CallEventsTable {
  id: Generated<number>;
  event_id: Generated<string>;
  /** Null for `call.rejected`: no call was made. */
  call_id: string | null;
  sequence: number;
  type: string;
  at: Generated<Date>;
  /** What the event carries beside the fields above. */
  body: Json<Record<string, unknown>>;
  /** Of a rejected message, or of what a repeated look may come upon again: makes its event exist once. */
  source: string | null;
  /** The transaction that appended it: what streams of events order by (event-steps.ts). */
  xid: Generated<string>;
}

/** The events that have not left for Kafka. A trigger of \`call_events\` fills it. */
export interface OutboxTable {
  event_id: number;
}

export interface WebhookEndpointsTable {
  id: Generated<string>;
  /** Order of registration. */
  seq: Generated<number>;
  url: string;
  description: string;
  /** Null for all. */
  event_types: CallEventType[] | null;
  /** The newest first. */
  secrets: Json<WebhookSecret[]>;
  disabled_at: NullableTime;
  disabled_reason: string | null;
  /** Since when every try has failed; null where the last one did not. */
  failing_since: NullableTime;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}

export interface WebhookSecret {
  /** `whsec_…` */
  secret: string;
  createdAt: string;
  /** Set where it was rotated: signs until then. */
  expiresAt: string | null;
}

export interface WebhookDeliveriesTable {
  id: Generated<string>;
  /** Order in which they were written. */
  seq: Generated<number>;
  /** Null where it goes to the call's own `webhookUrl`. The endpoint may have been deleted since. */
  endpoint_id: string | null;
  event_id: number;
  /** Null for `call.rejected`. */
  call_id: string | null;
  /** Where it goes, or where its last try went: the endpoint's URL may change. */
  url: string;
  state: Generated<WebhookDeliveryState>;
  /** 1, and one more for each time it is to be delivered anew: each has a workflow of its own. */
  round: Generated<number>;
  /** Set once Temporal has the round's workflow; until then the row is the order to start it. */
  started_at: NullableTime;
  /** Tries begun, in all rounds. */
  tries: Generated<number>;
  /** Tries of this round whose outcome is known: its place in the schedule of retries. */
  round_tries: Generated<number>;
  next_try_at: NullableTime;
  last_status: number | null;
  last_error: string | null;
  created_at: Generated<Date>;
  ended_at: NullableTime;
}

export interface WebhookTriesTable {
  delivery_id: string;
  number: number;
  at: Generated<Date>;
  url: string;
  duration_ms: number | null;
  /** What the receiver answered; null where it did not, or the worker died before it could be written down. */
  status: number | null;
  /** Why the try failed; null where it did not, or while it lasts. */
  error: string | null;
  /** How the receiver's answer began. */
  response: string | null;
}

export interface ReconcilerMendsTable {
  duty: string;
  /** How many things it has mended, ever. */
  mended: Generated<number>;
  /** When it last mended something. */
  last_at: NullableTime;
  /** When it last came to its end, whether or not there was something to mend. */
  completed_at: NullableTime;
}

export interface ApiKeysTable {
  /** The part of the key by which it is looked up and named; no secret. */
  id: string;
  name: string;
  /** SHA-256 of the key's secret part. */
  secret_hash: Buffer;
  access: KeyAccess;
  /** Null: the setting RATE_LIMIT_PER_MINUTE holds. 0: no limit. */
  rate_limit_per_minute: number | null;
  created_at: Generated<Date>;
  revoked_at: NullableTime;
  /** To within a minute. */
  last_used_at: NullableTime;
}

export interface PersonalDataWorkTable {
  kind: string;
  /** For how many calls it was done, ever. */
  calls: Generated<number>;
  last_at: NullableTime;
}

/** The pause switch (control.ts): one row, or none before it was first used. */
export interface ControlTable {
  is_only: Generated<boolean>;
  turn: number;
  paused_at: NullableTime;
  reason: string | null;
  resumed_at: NullableTime;
}

export interface Schema {
  api_keys: ApiKeysTable;
  calls: CallsTable;
  attempts: AttemptsTable;
  provider_reports: ProviderReportsTable;
  call_events: CallEventsTable;
  outbox: OutboxTable;
  webhook_endpoints: WebhookEndpointsTable;
  webhook_deliveries: WebhookDeliveriesTable;
  webhook_tries: WebhookTriesTable;
  reconciler_mends: ReconcilerMendsTable;
  personal_data_work: PersonalDataWorkTable;
  control: ControlTable;
}

export type Database = Kysely<Schema>;
export type DatabaseTransaction = Transaction<Schema>;
export type CallRow = Selectable<CallsTable>;
export type AttemptRow = Selectable<AttemptsTable>;
export type ApiKeyRow = Selectable<ApiKeysTable>;

export interface DatabaseOptions {
  poolSize: number;
  /** Told of connections that broke while idle; the pool replaces them. */
  onIdleError: (error: Error) => void;
}

/** Opens a pool; no connection is made before the first query. Close it with `destroy()`. */
export function openDatabase(url: string, options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.poolSize,
    connectionTimeoutMillis: 5_000,
    // A server that hangs must not hold a request for ever; no query here takes seconds.
    statement_timeout: 15_000,
    query_timeout: 20_000,
    idle_in_transaction_session_timeout: 15_000,
    keepAlive: true,
    // To open one anew, with its proof of the password, costs more than to keep it: the reconciler comes every few seconds.
    idleTimeoutMillis: 300_000,
    application_name: 'call-orchestrator',
  });
  pool.on('error', options.onIdleError);
  // A connection that breaks in a transaction, between two statements, tells nobody but its own listeners, and without
  // one it would end the process. The next statement fails, which is what its caller handles.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const named: PostgresPool = {
    connect: async () => {
      const client = await pool.connect();
      return { ...withNames(client), release: () => client.release() };
    },
    end: () => pool.end(),
  };
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool: named }) });
}

/** Reads as of one moment, however many queries that takes. */
export function atOneMoment<T>(db: Database, read: (trx: DatabaseTransaction) => Promise<T>): Promise<T> {
  return db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(read);
}
