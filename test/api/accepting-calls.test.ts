import { callSchema } from '../../src/api/schemas';
import { findCall } from '../../src/store/calls';
import { listEvents } from '../../src/store/call-events';
import { callOf } from '../../src/store/rows';
import { badFields, freshNumber, startApi, type Answer, type ApiUnderTest } from './api-under-test';
import { inFlight } from './in-flight';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const post = (json: unknown, headers: Record<string, string> = {}) => api.request('POST', '/calls', { json, headers });

describe('POST /calls', () => {
  test('answers 201 with the Call and its Location, and hands it to the starter', async () => {
    const to = freshNumber();
    const answer = await post({ to, scriptId: 'testScript', metadata: { order: 7, tags: ['a'] } });

    expect(answer.status).toBe(201);
    const call = callSchema.parse(answer.body);
    expect(call).toMatchObject({
      payload: { to, scriptId: 'testScript', metadata: { order: 7, tags: ['a'] } },
      status: 'PENDING',
      attempts: 0,
      maxAttempts: 3,
      lastError: null,
      externalCallId: null,
      startedAt: null,
      endedAt: null,
      nextAttemptAt: null,
    });
    expect(Date.parse(call.expiresAt) - Date.parse(call.createdAt)).toBeGreaterThan(86_000_000);
    expect(answer.headers.get('Location')).toBe(`/calls/${call.id}`);
    expect(api.handedOff.at(-1)).toMatchObject({ id: call.id, handoff: 'START' });
  });

  test('keeps the expiresAt it was given, in whatever zone', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000);
    expiresAt.setMilliseconds(0);
    const inRiyadh = new Date(expiresAt.getTime() + 3 * 3_600_000).toISOString().replace('.000Z', '+03:00');
    const call = await api.acceptCall({ expiresAt: inRiyadh });
    expect(call.expiresAt).toBe(expiresAt.toISOString());
  });

  test('makes metadata an empty object where there is none', async () => {
    expect((await api.acceptCall()).payload.metadata).toEqual({});
  });

  test('tells of the accepted call exactly as it answers', async () => {
    const call = await api.acceptCall({ metadata: { 'é "quoted"': [1.5, null, true, { deep: '\u{1f600}' }] } });
    const row = await findCall(api.db, call.id);
    const [event] = await listEvents(api.db, call.id);
    expect(row && callOf(row)).toEqual(call);
    expect(event).toMatchObject({ type: 'call.accepted', sequence: 1 });
    expect((event as { call: unknown }).call).toEqual(call);
  });

  test('shows the priority it was given, or the usual one, in its answer and in its event', async () => {
    expect((await api.acceptCall()).priority).toBe(3);
    const urgent = await api.acceptCall({ priority: 1 });
    expect(urgent.priority).toBe(1);
    expect(await listEvents(api.db, urgent.id)).toMatchObject([{ call: { priority: 1 } }]);
  });

  test('takes a body whose media type carries a charset', async () => {
    const answer = await api.request('POST', '/calls', {
      raw: JSON.stringify({ to: freshNumber(), scriptId: 'testScript' }),
      headers: { 'Content-Type': 'Application/JSON; charset=utf-8' },
    });
    expect(answer.status).toBe(201);
  });
});

describe('one call at a time to a number', () => {
  test('a second call gets 409 naming the active one', async () => {
    const { id, payload } = await api.acceptCall();
    const answer = await post({ to: payload.to, scriptId: 'another' });
    expect(answer.status).toBe(409);
    expect(answer.headers.get('Content-Type')).toBe('application/problem+json');
    expect(answer.body).toEqual({
      type: 'urn:call-orchestrator:problem:number-busy',
      title: 'Call already in progress to this number',
      status: 409,
      detail: 'Call already in progress to this number',
      instance: '/calls',
      code: 'NUMBER_BUSY',
      error: 'Call already in progress to this number',
      activeCallId: id,
    });
  });

  test('of ten at once exactly one is accepted, and the nine name it', async () => {
    const to = freshNumber();
    const answers = await Promise.all(Array.from({ length: 10 }, () => post({ to, scriptId: 'testScript' })));
    const accepted = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ status }) => status === 409);
    expect([accepted.length, refused.length]).toEqual([1, 9]);
    expect(new Set(refused.map(({ body }) => body['activeCallId']))).toEqual(new Set([accepted[0]?.body['id']]));
  });

  test('is free again once its call has ended', async () => {
    const { id, payload } = await api.acceptCall();
    await api.request('POST', `/calls/${id}/cancel`);
    expect((await post({ to: payload.to, scriptId: 'testScript' })).status).toBe(201);
  });
});

describe('Idempotency-Key', () => {
  const keyed = (key: string) => ({ 'Idempotency-Key': key });

  test('the same request again gets the same call, said to be replayed, and is not started twice', async () => {
    const body = { to: freshNumber(), scriptId: 'testScript', metadata: { a: 1, b: 2 } };
    const first = await post(body, keyed('order-1'));
    const started = api.handedOff.length;
    const again = await post({ ...body, metadata: { b: 2, a: 1 } }, keyed('order-1'));
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('Location')).toBe(first.headers.get('Location'));
    expect(first.headers.get('Idempotency-Replayed')).toBeNull();
    expect(again.headers.get('Idempotency-Replayed')).toBe('true');
    expect(api.handedOff).toHaveLength(started);
  });

  test('is answered as it was then, whatever became of the call', async () => {
    const body = { to: freshNumber(), scriptId: 'testScript' };
    const first = await post(body, keyed('order-2'));
    await api.request('POST', `/calls/${String(first.body['id'])}/cancel`);
    expect((await post(body, keyed('order-2'))).body).toEqual(first.body);
  });

  test('another body under it gets 409 IDEMPOTENCY_KEY_REUSED', async () => {
    const to = freshNumber();
    await post({ to, scriptId: 'testScript' }, keyed('order-3'));
    const answer = await post({ to, scriptId: 'another' }, keyed('order-3'));
    expect(answer.status).toBe(409);
    expect(answer.body['code']).toBe('IDEMPOTENCY_KEY_REUSED');
  });

  test('ten at once with one key make one call, and whoever is refused gets it by asking again', async () => {
    const body = { to: freshNumber(), scriptId: 'testScript' };
    const ten = () => Promise.all(Array.from({ length: 10 }, () => post(body, keyed('order-4'))));
    const made = (answers: Answer[]) => answers.filter(({ status }) => status === 201);
    const first = await ten();
    const refused = first.filter(({ status }) => status !== 201);
    expect(new Set(refused.map((answer) => answer.body['code'])).size).toBeLessThanOrEqual(1);
    for (const answer of refused) expect(answer.body['code']).toBe('IDEMPOTENCY_KEY_IN_FLIGHT');
    const again = [...made(first), ...made(await post(body, keyed('order-4')).then((one) => [one]))];
    expect(again.length).toBeGreaterThan(1);
    expect(new Set(again.map((answer) => answer.body['id'])).size).toBe(1);
    expect(again.filter(({ headers }) => headers.get('Idempotency-Replayed') === null)).toHaveLength(1);
  });

  test('a request that comes while the first is not answered gets 409 and is told when to ask again', async () => {
    const body = { to: freshNumber(), scriptId: 'testScript' };
    const pair = await inFlight(api.db, () => post(body, keyed('order-5')));
    expect(pair.refused.status).toBe(409);
    expect(pair.refused.body['code']).toBe('IDEMPOTENCY_KEY_IN_FLIGHT');
    expect(pair.refused.headers.get('Retry-After')).toBe('1');
    expect(pair.answered.status).toBe(201);
    expect((await post(body, keyed('order-5'))).body).toEqual(pair.answered.body);
  });

  test('two processes that get one key at once make one call, and both answer with it', async () => {
    const other = await startApi({ database: { ...api, drop: () => Promise.resolve() } });
    try {
      const body = { to: freshNumber(), scriptId: 'testScript' };
      const headers = keyed('order-6');
      const answers = await Promise.all([
        post(body, headers),
        other.request('POST', '/calls', { json: body, headers }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([201, 201]);
      expect(answers[0].body['id']).toBe(answers[1].body['id']);
    } finally {
      await other.close();
    }
  });

  test.each([
    ['empty', ''],
    ['of 256 characters', 'k'.repeat(256)],
    ['with a space', 'a b'],
    ['not ASCII', 'cl\u00e9'],
  ])('%s gets 400 naming it', async (_, key) => {
    const answer = await post({ to: freshNumber(), scriptId: 'testScript' }, keyed(key));
    expect(answer.status).toBe(400);
    expect(badFields(answer)).toEqual(['Idempotency-Key']);
  });

  test('of 255 characters is taken', async () => {
    const answer = await post({ to: freshNumber(), scriptId: 'testScript' }, keyed('k'.repeat(255)));
    expect(answer.status).toBe(201);
  });
});
