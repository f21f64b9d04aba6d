import type { KyselyPlugin } from 'kysely';

import type { CallRequest } from '../../src/call/request';
import { acceptCalls, type Acceptance, type IncomingCall } from '../../src/intake/accept-call';
import type { Database } from '../../src/store/database';
import { createTestDatabase, type TestDatabase } from '../support/database';

const policy = { MAX_ATTEMPTS: 3, DEFAULT_EXPIRY_SECONDS: 600 };

let database: TestDatabase;
let db: Database;
let numbers = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());
beforeEach(() => db.deleteFrom('calls').execute());

const freshNumber = () => `+9665${String(30_000_000 + numbers++).padStart(8, '0')}`;
const incoming = (
  request: Partial<CallRequest> = {},
  from: Partial<Omit<IncomingCall, 'request'>> = {},
): IncomingCall => ({
  request: { to: freshNumber(), scriptId: 'test', ...request },
  requestKey: null,
  source: null,
  ...from,
});
const acceptOne = async (one: IncomingCall, on = db): Promise<Acceptance> => {
  const [answer] = await acceptCalls(on, policy, [one]);
  if (!answer) throw new Error('no answer');
  return answer;
};
const idOf = (answer: Acceptance | undefined) => (answer && 'call' in answer ? answer.call.id : undefined);
const countOfCalls = async () => (await db.selectFrom('calls').select('id').execute()).length;

test('a call is accepted with the policy of the service, where the request says nothing else', async () => {
  const began = Date.now();
  const answer = await acceptOne(incoming());
  expect(answer).toMatchObject({ kind: 'ACCEPTED', call: { maxAttempts: 3, payload: { metadata: {} } } });
  const expiresIn = answer.kind === 'ACCEPTED' ? Date.parse(answer.call.expiresAt) - began : 0;
  expect(expiresIn).toBeGreaterThanOrEqual(600_000);
  expect(expiresIn).toBeLessThan(610_000);

  const expiresAt = new Date(Date.now() + 60_000).toISOString();
  expect(await acceptOne(incoming({ expiresAt }))).toMatchObject({ call: { expiresAt } });
});

test('a priority is kept as it was asked for, and is 3 where nothing was asked', async () => {
  for (const priority of [1, 5]) expect(await acceptOne(incoming({ priority }))).toMatchObject({ call: { priority } });
  expect(await acceptOne(incoming())).toMatchObject({ call: { priority: 3 } });
});

test('a number that has a call is busy, and the answer names the call', async () => {
  const to = freshNumber();
  const first = await acceptOne(incoming({ to }));
  expect(await acceptOne(incoming({ to }))).toEqual({ kind: 'NUMBER_BUSY', activeCallId: idOf(first) });
  await db.updateTable('calls').set({ status: 'IN_PROGRESS' }).execute();
  expect(await acceptOne(incoming({ to }, { requestKey: 'http:other' }))).toMatchObject({ kind: 'NUMBER_BUSY' });
});

test('every request of a batch is answered, in its place: the first of its kind is taken', async () => {
  const to = freshNumber();
  const key = { requestKey: 'kafka:r1' };
  const withKey = incoming({}, key);
  const message = incoming({}, { source: 'calls.requests/0/7' });
  const batch = [
    incoming({ to }),
    incoming({ to }),
    withKey,
    { ...withKey },
    incoming({}, key),
    message,
    { ...message },
    incoming(),
  ];
  const answers = await acceptCalls(db, policy, batch);
  expect(answers.map(({ kind }) => kind)).toEqual([
    'ACCEPTED',
    'NUMBER_BUSY',
    'ACCEPTED',
    'REPLAYED',
    'KEY_REUSED',
    'ACCEPTED',
    'REPLAYED',
    'ACCEPTED',
  ]);
  expect(answers[1]).toMatchObject({ activeCallId: idOf(answers[0]) });
  expect(answers[3]).toMatchObject({ sameSource: false, call: { id: idOf(answers[2]) } });
  expect(answers[6]).toMatchObject({ sameSource: true, call: { id: idOf(answers[5]) } });
  expect(await countOfCalls()).toBe(4);
});

test('an empty batch has no answers', async () => {
  expect(await acceptCalls(db, policy, []).catch(() => 'refused')).toEqual([]);
});

describe('a key that came before', () => {
  const requestKey = 'http:k1';

  test('with the same body gets the answer of then, however the call went on', async () => {
    const request = { to: freshNumber(), metadata: { a: 1, b: [{ c: 2, d: 3 }] } };
    const first = await acceptOne(incoming(request, { requestKey }));
    await db.updateTable('calls').set({ status: 'COMPLETED', attempts: 1 }).execute();
    const again = { ...request, metadata: { b: [{ d: 3, c: 2 }], a: 1 } };
    const replay = await acceptOne(incoming(again, { requestKey }));
    expect(replay).toMatchObject({ kind: 'REPLAYED', sameSource: false });
    expect('call' in replay && replay.call).toEqual('call' in first && first.call);
    expect(await countOfCalls()).toBe(1);
  });

  test('counts before the number: a repeat is not refused because of its own call', async () => {
    const request = { to: freshNumber() };
    const first = await acceptOne(incoming(request, { requestKey }));
    expect(idOf(await acceptOne(incoming(request, { requestKey })))).toBe(idOf(first));
  });

  const body = { to: '+966501234567', scriptId: 's', metadata: { a: 1 }, expiresAt: '2100-01-01T00:00:00Z' };
  test.each<[string, Partial<CallRequest>]>([
    ['another number', { ...body, to: '+966501234568' }],
    ['another script', { ...body, scriptId: 'S' }],
    ['other metadata', { ...body, metadata: { a: '1' } }],
    ['another expiry', { ...body, expiresAt: '2100-01-01T00:00:01Z' }],
    ['no expiry', { to: body.to, scriptId: body.scriptId, metadata: body.metadata }],
    ['another priority', { ...body, priority: 1 }],
  ])('with %s is refused', async (_, other) => {
    await acceptOne(incoming(body, { requestKey }));
    expect(await acceptOne(incoming(other, { requestKey }))).toEqual({ kind: 'KEY_REUSED' });
    expect(await countOfCalls()).toBe(1);
  });

  test('without metadata is the same as with none in it', async () => {
    const to = freshNumber();
    const first = await acceptOne(incoming({ to }, { requestKey }));
    expect(idOf(await acceptOne(incoming({ to, metadata: {} }, { requestKey })))).toBe(idOf(first));
  });

  test('without a priority is the same as with the usual one, and another than with any other', async () => {
    const to = freshNumber();
    const first = await acceptOne(incoming({ to }, { requestKey }));
    expect(idOf(await acceptOne(incoming({ to, priority: 3 }, { requestKey })))).toBe(idOf(first));
    await acceptOne(incoming({ priority: 2 }, { requestKey: 'http:urgent' }));
    expect(await acceptOne(incoming({ to }, { requestKey: 'http:urgent' }))).toEqual({ kind: 'KEY_REUSED' });
  });

  test('matches what a release without priorities stored for the same body', async () => {
    const stored = '5ed788cc3cf92ae7f9ed70d194eca10ef5bca521c299f9f38c9b1b108ac8db79';
    await acceptOne(incoming({ to: '+966501234567', scriptId: 's', metadata: { a: 1 } }, { requestKey }));
    expect(await db.selectFrom('calls').select('request_hash').execute()).toEqual([{ request_hash: stored }]);
  });

  test('by another door is another key', async () => {
    await acceptOne(incoming({}, { requestKey: 'http:same' }));
    expect(await acceptOne(incoming({}, { requestKey: 'kafka:same' }))).toMatchObject({ kind: 'ACCEPTED' });
  });
});

test('a message delivered again has its call, even where its number is free again or its key another’s', async () => {
  const source = 'calls.requests/3/14';
  const first = await acceptOne(incoming({}, { source, requestKey: 'kafka:a' }));
  await acceptOne(incoming({}, { requestKey: 'kafka:b' }));
  await db.updateTable('calls').set({ status: 'FAILED' }).execute();
  for (const requestKey of ['kafka:a', 'kafka:b', null]) {
    const again = await acceptOne(incoming({}, { source, requestKey }));
    expect(again).toMatchObject({ kind: 'REPLAYED', sameSource: true, call: { id: idOf(first) } });
  }
});

test('of 40 requests with one key at once one makes the call, and all get the same one', async () => {
  const one = incoming({}, { requestKey: 'http:race' });
  const answers = await Promise.all(Array.from({ length: 40 }, () => acceptOne(one)));
  expect(new Set(answers.map(idOf)).size).toBe(1);
  expect(answers.filter(({ kind }) => kind === 'ACCEPTED')).toHaveLength(1);
  expect(await countOfCalls()).toBe(1);
});

test('of 40 requests to one number at once one is accepted, and the others are told of it', async () => {
  const to = freshNumber();
  const answers = await Promise.all(Array.from({ length: 40 }, () => acceptOne(incoming({ to }))));
  const accepted = answers.find(({ kind }) => kind === 'ACCEPTED');
  for (const answer of answers.filter(({ kind }) => kind !== 'ACCEPTED')) {
    expect(answer).toEqual({ kind: 'NUMBER_BUSY', activeCallId: idOf(accepted) });
  }
});

test('a number that is freed between the refusal and the look for its reason is taken after all', async () => {
  const to = freshNumber();
  await acceptOne(incoming({ to }));
  let freed = 0;
  const freeing = db.withPlugin(
    afterEmptyInsert(async () => {
      freed += 1;
      await db.updateTable('calls').set({ status: 'FAILED' }).where('to_number', '=', to).execute();
    }),
  );
  expect(await acceptOne(incoming({ to }), freeing)).toMatchObject({ kind: 'ACCEPTED' });
  expect(freed).toBe(1);
  expect(await countOfCalls()).toBe(2);
});

/** Something that happens right after an insert that put in nothing. */
function afterEmptyInsert(happens: () => Promise<void>): KyselyPlugin {
  let happened = false;
  return {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      if (result.rows.length === 0 && !happened) {
        happened = true;
        await happens();
      }
      return result;
    },
  };
}

test('batches that have the same numbers in opposite orders, at once, are all answered', async () => {
  for (let round = 0; round < 3; round++) {
    const shared = Array.from({ length: 100 }, () => freshNumber());
    const batches = [shared, [...shared].reverse(), shared, [...shared].reverse()];
    const answers = await Promise.all(
      batches.map((batch) =>
        acceptCalls(
          db,
          policy,
          batch.map((to) => incoming({ to })),
        ),
      ),
    );
    expect(answers.map((batch) => batch.length)).toEqual([100, 100, 100, 100]);
    expect(answers.flat().filter(({ kind }) => kind === 'ACCEPTED')).toHaveLength(100);
  }
});
