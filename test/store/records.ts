import { randomUUID } from 'node:crypto';

import type { CallStatus } from '../../src/call/call';
import type { NewCall } from '../../src/store/accepted-calls';
import { insertCalls } from '../../src/store/accepted-calls';
import type { CallRow, Database } from '../../src/store/database';
import { claimSlot, type Claim } from '../../src/store/dials';

let numbers = 0;

/** A number that no other call of the file has. */
export function freshNumber(): string {
  return `+9665${String(20_000_000 + numbers++).padStart(8, '0')}`;
}

export function newCall(values: Partial<NewCall> = {}): NewCall {
  return {
    id: randomUUID(),
    to: freshNumber(),
    scriptId: 'test',
    metadata: {},
    priority: 3,
    expiresAt: new Date(Date.now() + 3_600_000),
    maxAttempts: 3,
    requestKey: null,
    requestHash: null,
    source: null,
    webhookUrl: null,
    ...values,
  };
}

/** A call as it is right after it was accepted. */
export async function acceptedCall(db: Database, values: Partial<NewCall> = {}): Promise<CallRow> {
  const [accepted] = await insertCalls(db, [newCall(values)]);
  if (!accepted) throw new Error('not inserted');
  return db.selectFrom('calls').selectAll().where('id', '=', accepted.row.id).executeTakeFirstOrThrow();
}

/** A call that has come to this status, whatever the way. */
export async function callIn(db: Database, status: CallStatus, values: Partial<NewCall> = {}): Promise<CallRow> {
  const { id } = await acceptedCall(db, values);
  return db.updateTable('calls').set({ status }).where('id', '=', id).returningAll().executeTakeFirstOrThrow();
}

/** An attempt of the call, waiting for a slot. @returns its id */
export async function waitingAttempt(db: Database, call: CallRow): Promise<string> {
  const id = randomUUID();
  const { id: call_id, round, queue_seq } = call;
  await db
    .insertInto('attempts')
    .values({ id, call_id, round, queue_seq, run_id: `run-of-${id}`, run_number: 1 })
    .execute();
  return id;
}

/** An attempt of the call that tries to begin on that slot. */
export async function claim(db: Database, call: CallRow, attemptId: string, slot: number): Promise<Claim> {
  return claimSlot(db, { callId: call.id, round: call.round, attemptId, slot });
}

/** A new call with an attempt in progress on that slot. */
export async function callOnSlot(db: Database, slot: number): Promise<{ call: CallRow; attemptId: string }> {
  const call = await acceptedCall(db);
  const attemptId = await waitingAttempt(db, call);
  const claimed = await claim(db, call, attemptId, slot);
  if (claimed.kind !== 'CLAIMED') throw new Error(claimed.kind);
  return { call, attemptId };
}
