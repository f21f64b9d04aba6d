import { randomUUID } from 'node:crypto';

import { CallError } from '../../src/call/errors';
import { acceptCalls, type Acceptance } from '../../src/intake/accept-call';
import { cancelCall, retryCall } from '../../src/intake/change-call';
import { forgetCall } from '../../src/intake/forget-call';
import { listEvents, readOutbox } from '../../src/store/call-events';
import { findCall } from '../../src/store/calls';
import { forgetCalls } from '../../src/store/forgotten-calls';
import { readPersonalDataWork } from '../../src/store/personal-data-work';
import { allTables } from '../support/all-tables';
import { Carrier } from '../support/carrier';
import { backendsThatWait } from '../support/database';
import { everyHistory } from '../support/every-history';
import { operatorTool } from '../support/temporal-cli';
import { waitUntil } from '../support/wait-until';

let carrier: Carrier;
jest.setTimeout(180_000);

beforeEach(async () => {
  carrier = await Carrier.open();
  await carrier.startWorker();
});
afterEach(() => carrier.close());

let messages = 0;
const person = { name: 'Noura Alqahtani', ref: 'patient-4711' };
// No short run of digits: by chance one stands in an id.
const traces = (number: string) => new RegExp(`${number.slice(1)}|Noura|patient|her door`, 'i');
const codeOf = (error: unknown) => (error instanceof CallError ? error.code : String(error));
const forget = (id: string) => forgetCall(carrier.db, id);

/** A call of a person, whose three attempts failed with words of the provider's that name her. */
async function failedCall(): Promise<{ id: string; to: string; again: () => Promise<Acceptance | undefined> }> {
  const to = carrier.freshNumber();
  const incoming = {
    request: { to, scriptId: 'reminder', metadata: person, webhookUrl: 'https://example.org/hook' },
    requestKey: `http:order-${to}`,
    source: `calls.requests/0/${messages++}`,
  };
  const accept = async () => (await acceptCalls(carrier.db, carrier.config, [incoming]))[0];
  const answer = await accept();
  if (answer?.kind !== 'ACCEPTED') throw new Error(answer?.kind);
  const { id } = answer.row;
  await carrier.starter.handOff(answer.row);
  for (const outcome of ['BUSY', 'NO_ANSWER', 'FAILED'] as const) {
    await carrier.report(id, outcome, `${to} rang at her door: ${person.name}`);
  }
  await carrier.untilStatus(id, 'FAILED');
  await carrier.workflowStatus(id);
  return { id, to, again: accept };
}

async function noteAnswerOfReceiver(callId: string, response: string): Promise<void> {
  const deliveries = await carrier.db
    .selectFrom('webhook_deliveries')
    .select('id')
    .where('call_id', '=', callId)
    .execute();
  const tries = deliveries.map(({ id }) => ({ delivery_id: id, number: 1, url: 'https://example.org/hook', response }));
  expect(tries.length).toBeGreaterThan(0);
  await carrier.db.insertInto('webhook_tries').values(tries).execute();
}

const untilHistoriesAreGone = (id: string) =>
  waitUntil(
    'its histories are gone',
    async () => {
      await carrier.starter.sweep({ olderThanSeconds: 0, limit: 10 });
      return !(await everyHistory(carrier.namespace.client)).text.includes(id);
    },
    60,
  );

test('of a forgotten call nothing of the person is left, in no table, event or history', async () => {
  const { id, to } = await failedCall();
  await noteAnswerOfReceiver(id, `thanks, we told ${person.name}`);
  expect(await allTables(carrier.db)).toMatch(traces(to));
  expect((await everyHistory(carrier.namespace.client)).text).toMatch(traces(to));

  const row = await forget(id);
  expect(row).toMatchObject({ to_number: 'forgotten', metadata: {}, last_error: 'FAILED', handoff: 'FORGET' });
  expect(await allTables(carrier.db)).not.toMatch(traces(to));
  await untilHistoriesAreGone(id);
  expect(await findCall(carrier.db, id)).toMatchObject({ handoff: null, status: 'FAILED', attempts: 3 });
  expect((await carrier.attempts(id)).map(({ outcome }) => outcome)).toEqual(['BUSY', 'NO_ANSWER', 'FAILED']);
});

test('what has not left the outbox yet leaves it without the person, and tells that she was forgotten', async () => {
  const { id, to } = await failedCall();
  await forget(id);
  const events = (await readOutbox(carrier.db, 100)).map(({ event }) => event);
  expect(JSON.stringify(events)).not.toMatch(traces(to));
  expect(events.length).toBe((await listEvents(carrier.db, id)).length);
  for (const event of events) expect(event).toMatchObject({ call: { payload: { to: 'forgotten', metadata: {} } } });
  expect(events.at(-1)).toMatchObject({
    type: 'call.updated',
    reason: 'personal data forgotten',
    sequence: events.length,
  });
  expect(events.at(-1)).toMatchObject({ call: { forgottenAt: expect.any(String) as string } });
});

test('asked again it changes nothing, and is counted once', async () => {
  const { id } = await failedCall();
  const first = await forget(id);
  expect(await forget(id)).toEqual(first);
  expect(await readPersonalDataWork(carrier.db)).toMatchObject({ forgotten_on_request: 1, forgotten_by_retention: 0 });
});

describe('what comes after', () => {
  const late = (to: string, externalCallId: string) => ({
    externalCallId,
    status: 'COMPLETED' as const,
    durationSec: 3,
    failureReason: `${to} called back`,
    completedAt: new Date(),
  });

  test('a webhook is stored without its words, by whichever name it comes', async () => {
    const { id, to } = await failedCall();
    await forget(id);
    const [first, second] = await carrier.attempts(id);
    await carrier.receive(late(to, first?.externalCallId ?? ''), first?.id ?? '');
    await carrier.receive(late(to, second?.externalCallId ?? ''), null);
    const reports = await carrier.db
      .selectFrom('provider_reports')
      .selectAll()
      .where('status', '=', 'COMPLETED')
      .execute();
    expect(reports.map(({ attempt_id }) => attempt_id)).toEqual([first?.id, second?.id]);
    expect(await allTables(carrier.db)).not.toMatch(traces(to));
  });

  test('a webhook or an answer of a receiver that comes in the very moment waits, and is stored without its words', async () => {
    const { id, to } = await failedCall();
    const [attempt] = await carrier.attempts(id);
    const coming: Promise<unknown>[] = [];
    await carrier.db.transaction().execute(async (trx) => {
      await forgetCalls(trx, [id], 'REQUEST');
      coming.push(carrier.receive(late(to, attempt?.externalCallId ?? ''), attempt?.id ?? ''));
      coming.push(noteAnswerOfReceiver(id, `we told ${person.name}`));
      await waitUntil('both wait', async () => (await backendsThatWait(carrier.db)) >= 2);
    });
    await Promise.all(coming);
    expect(await allTables(carrier.db)).not.toMatch(traces(to));
  });

  test('the same request makes no second call, by its key nor by its message', async () => {
    const { id, to, again } = await failedCall();
    await forget(id);
    expect(await again()).toMatchObject({ kind: 'REPLAYED', call: { id, payload: { to: 'forgotten' } } });
    const [byKey] = await acceptCalls(carrier.db, carrier.config, [
      { request: { to, scriptId: 'other' }, requestKey: `http:order-${to}`, source: null },
    ]);
    expect(byKey).toMatchObject({ kind: 'REPLAYED', call: { id } });
    expect(await allTables(carrier.db)).not.toMatch(traces(to));
  });

  test('a retry is refused, and a reset by an operator starts nothing', async () => {
    const { id } = await failedCall();
    await forget(id);
    await expect(retryCall(carrier.db, id, carrier.config).catch(codeOf)).resolves.toBe('CALL_FORGOTTEN');
    await (await operatorTool('temporal', carrier.namespace.namespace)).reset(`call-${id}`);
    await carrier.workflowStatus(id);
    expect(await findCall(carrier.db, id)).toMatchObject({ status: 'FAILED', to_number: 'forgotten' });
    await untilHistoriesAreGone(id);
  });

  test('its number can be called anew at once', async () => {
    const { id, to } = await failedCall();
    await forget(id);
    expect(await carrier.accept({ to })).toMatchObject({ status: 'PENDING' });
  });
});

test('of a retry and a forgetting at once one comes through, whole', async () => {
  const calls = await carrier.acceptMany(20);
  for (const { id } of calls) await cancelCall(carrier.db, id);
  const outcomes = await Promise.all(
    calls.map(({ id }) =>
      Promise.all([forget(id).catch(codeOf), retryCall(carrier.db, id, carrier.config).catch(codeOf)]),
    ),
  );
  for (const [index, [forgetting, retrying]] of outcomes.entries()) {
    const before = calls[index];
    const after = await findCall(carrier.db, before?.id ?? '');
    if (typeof forgetting === 'string') {
      expect([forgetting, typeof retrying]).toEqual(['CALL_NOT_ENDED', 'object']);
      expect(after).toMatchObject({ status: 'PENDING', to_number: before?.to_number, forgotten_at: null });
    } else {
      expect(retrying).toBe('CALL_FORGOTTEN');
      expect(after).toMatchObject({ status: 'CANCELED', to_number: 'forgotten' });
    }
  }
});

describe('a call that is not over', () => {
  test('keeps its personal data: waiting, on the line, or canceled with its line still up', async () => {
    const waiting = await carrier.accept();
    await expect(forget(waiting.id).catch(codeOf)).resolves.toBe('CALL_NOT_ENDED');
    const live = await carrier.place();
    await carrier.attemptOnTheLine(live);
    await expect(forget(live).catch(codeOf)).resolves.toBe('CALL_NOT_ENDED');
    await cancelCall(carrier.db, live);
    await expect(forget(live).catch(codeOf)).resolves.toBe('CALL_NOT_ENDED');
    await expect(forget(randomUUID()).catch(codeOf)).resolves.toBe('CALL_NOT_FOUND');
    expect(await findCall(carrier.db, live)).toMatchObject({ forgotten_at: null });
  });
});
