import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import { sql } from 'kysely';

import { eventSchema } from '../../src/api/schemas';
import type { CallEvent } from '../../src/call/event';
import { appendRejection } from '../../src/store/call-events';
import { Chance } from '../support/chance';
import { waitUntil } from '../support/wait-until';
import { badFields, freshNumber, startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ heartbeatSeconds: 0.5 });
});
afterEach(() => {
  for (const { close } of open.splice(0)) close();
});
afterAll(() => api.close());

interface Message {
  id: string;
  event: string;
  data: CallEvent;
}

interface Stream {
  messages: Message[];
  /** Of the last block that had one. */
  lastId: () => string;
  text: () => string;
  ended: Promise<unknown>;
  close: () => void;
}

const open: Stream[] = [];

async function follow(path: string, lastEventId?: string): Promise<Stream> {
  const stopping = new AbortController();
  const answer = await fetch(`${api.url}${path}`, {
    signal: stopping.signal,
    headers: lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId },
  });
  expect([answer.status, answer.headers.get('Content-Type')]).toEqual([200, 'text/event-stream']);
  const messages: Message[] = [];
  let [text, rest, lastId] = ['', '', ''];
  const read = async () => {
    for await (const chunk of answer.body! as AsyncIterable<Uint8Array>) {
      const more = Buffer.from(chunk).toString();
      text += more;
      const blocks = (rest + more).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const fields = new Map(block.split('\n').map((line) => [line.split(': ', 1)[0], line.replace(/^[^:]*: /, '')]));
        lastId = fields.get('id') ?? lastId;
        const data = fields.get('data');
        if (data !== undefined) {
          messages.push({ id: lastId, event: fields.get('event') ?? '', data: JSON.parse(data) as CallEvent });
        }
      }
    }
  };
  const ended = read().catch((error: unknown) => error);
  const stream = { messages, lastId: () => lastId, text: () => text, ended, close: () => stopping.abort() };
  open.push(stream);
  await waitUntil('the stream has begun', () => text !== '');
  return stream;
}

const idsOf = ({ messages }: Stream) => messages.map(({ data }) => data.eventId);
/** The ids of all events, in no given order. */
const recorded = async () =>
  (await api.db.selectFrom('call_events').select('event_id').execute()).map(({ event_id }) => event_id);

describe('GET /calls/stream', () => {
  test('tells what happens from now on, each event as it is in the timeline', async () => {
    await api.acceptCall();
    const stream = await follow('/calls/stream');
    const call = await api.acceptCall();
    await api.request('POST', `/calls/${call.id}/cancel`);
    await waitUntil('both events', () => stream.messages.length >= 2);
    const mine = stream.messages.filter(({ data }) => data.callId === call.id);
    expect(mine.map(({ event }) => event)).toEqual(['call.accepted', 'call.canceled']);
    const { body } = await api.request('GET', `/calls/${call.id}/events`);
    expect(mine.map(({ data }) => eventSchema.parse(data))).toEqual(body['events']);
    expect(stream.text()).toMatch(/^retry: 2000\n/);
  });

  test('goes on right after Last-Event-ID, whichever event that was, and whether it is header or parameter', async () => {
    const stream = await follow('/calls/stream');
    // Several in one transaction, so that some ids lie within a step.
    const calls = Array.from({ length: 12 }, () => ({ to: freshNumber(), scriptId: 's' }));
    await api.request('POST', '/calls/batch', { json: { calls: calls.slice(0, 7) } });
    await api.request('POST', '/calls/batch', { json: { calls: calls.slice(7) } });
    await waitUntil('all came', () => stream.messages.length >= 12);
    const all = idsOf(stream);
    for (const [index, { id }] of stream.messages.entries()) {
      const again = await (index % 2 ? follow('/calls/stream', id) : follow(`/calls/stream?lastEventId=${id}`));
      await waitUntil('the rest came', () => again.messages.length >= all.length - index - 1);
      expect(idsOf(again).slice(0, all.length - index - 1)).toEqual(all.slice(index + 1));
      again.close();
    }
  });

  test('misses nothing that commits late with an earlier id, and tells it once', async () => {
    const stream = await follow('/calls/stream');
    const before = new Set(await recorded());
    await api.db.transaction().execute(async (late) => {
      await sql`insert into call_events (sequence, type, body) values (1, 'call.rejected', '{"reason":"LATE"}')`.execute(
        late,
      );
      await api.acceptCall();
      await follow('/calls/stream');
    });
    await api.acceptCall();
    const expected = (await recorded()).filter((id) => !before.has(id));
    await waitUntil('all came', () => stream.messages.length >= 3);
    expect(idsOf(stream).sort()).toEqual(expected.sort());
  });

  test('readers that are cut off again and again, under writers who overlap, see every event once, each call’s in order', async () => {
    const random = new Chance(7, 'readers');
    const begin = (await follow('/calls/stream')).lastId();
    const before = new Set(await recorded());
    const writing = { done: false };
    const write = async () => {
      for (let round = 0; round < 15; round++) {
        const call = await api.acceptCall();
        await api.db.transaction().execute(async (slow) => {
          // Takes its transaction number first and commits last.
          await appendRejection(slow, `test/${call.id}`, { requestId: null, reason: 'TEST' });
          await api.request('PATCH', `/calls/${call.id}`, { json: { scriptId: 'changed' } });
          await api.request('POST', `/calls/${call.id}/cancel`);
        });
      }
    };
    const read = async () => {
      const seen: CallEvent[] = [];
      let id = begin;
      for (;;) {
        const reading = { complete: false };
        const stream = await follow('/calls/stream', id);
        const wanted = 1 + Math.floor(random.next() * 9);
        await waitUntil(
          'some more, or all',
          async () => {
            if (stream.messages.length >= wanted) return true;
            if (!writing.done) return false;
            const expected = (await recorded()).filter((one) => !before.has(one)).length;
            reading.complete = seen.length + stream.messages.length >= expected;
            return reading.complete;
          },
          60,
        );
        const taken = stream.messages.slice(0, reading.complete ? undefined : wanted);
        stream.close();
        seen.push(...taken.map(({ data }) => data));
        if (reading.complete) return seen;
        id = taken.at(-1)?.id ?? id;
      }
    };
    const writers = Promise.all([write(), write(), write()]).then(() => (writing.done = true));
    const readings = await Promise.all([read(), read()]);
    await writers;
    const expected = (await recorded()).filter((one) => !before.has(one)).sort();
    for (const seen of readings) {
      expect(seen.map(({ eventId }) => eventId).sort()).toEqual(expected);
      const last = new Map<string, number>();
      for (const { callId, sequence } of seen) {
        if ((callId as string | null) === null) continue;
        expect(sequence).toBe((last.get(callId) ?? 0) + 1);
        last.set(callId, sequence);
      }
    }
  });

  test('a reader far behind catches up on more than one page', async () => {
    const begin = (await follow('/calls/stream')).lastId();
    for (let batch = 0; batch < 2; batch++) {
      const calls = Array.from({ length: 700 }, () => ({ to: freshNumber(), scriptId: 'far' }));
      await api.request('POST', '/calls/batch', { json: { calls } });
    }
    const stream = await follow('/calls/stream?scriptId=far', begin);
    await waitUntil('all came', () => stream.messages.length >= 1_400);
    expect(new Set(idsOf(stream)).size).toBe(1_400);
  });

  test('filters by type, status, number and script', async () => {
    const to = freshNumber();
    const streams = await Promise.all(
      [`to=${encodeURIComponent(to)}`, 'scriptId=mine', 'type=call.canceled,call.failed', 'status=CANCELED'].map(
        (query) => follow(`/calls/stream?${query}`),
      ),
    );
    const call = await api.acceptCall({ to, scriptId: 'mine' });
    await api.acceptCall();
    await api.request('POST', `/calls/${call.id}/cancel`);
    await waitUntil('each has its last', () =>
      streams.every(({ messages }) => messages.some(({ event }) => event === 'call.canceled')),
    );
    expect(streams.map(({ messages }) => messages.map(({ event, data }) => [event, data.callId === call.id]))).toEqual([
      [
        ['call.accepted', true],
        ['call.canceled', true],
      ],
      [
        ['call.accepted', true],
        ['call.canceled', true],
      ],
      [['call.canceled', true]],
      [['call.canceled', true]],
    ]);
  });

  test('while nothing comes a comment shows that it lives, and its id goes on', async () => {
    const stream = await follow('/calls/stream?scriptId=quiet');
    const first = stream.lastId();
    await api.acceptCall();
    await waitUntil(
      'a heartbeat with a later id',
      () => stream.text().includes(': nothing new') && stream.lastId() !== first,
    );
    expect(stream.messages).toEqual([]);
  });

  test.each([
    ['type=call.unknown', 'type'],
    ['status=RINGING', 'status'],
    ['unknown=1', 'unknown'],
    ['lastEventId=abc', 'lastEventId'],
    [`lastEventId=${Buffer.from('1:5..0 ').toString('base64url')}`, 'lastEventId'],
    [`lastEventId=${Buffer.from('1:999999999999999..0').toString('base64url')}`, 'lastEventId'],
  ])('?%s gets 400 naming %s', async (query, path) => {
    const answer = await api.request('GET', `/calls/stream?${query}`);
    expect([answer.status, badFields(answer)]).toEqual([400, [path]]);
  });

  test('one that does not read holds up neither the others nor its own process', async () => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    socket.write('GET /calls/stream HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'readable');
    const stream = await follow('/calls/stream');
    const metadata = { filler: 'x'.repeat(4_000) };
    for (let batch = 0; batch < 3; batch++) {
      const calls = Array.from({ length: 500 }, () => ({ to: freshNumber(), scriptId: 's', metadata }));
      await api.request('POST', '/calls/batch', { json: { calls } });
    }
    await waitUntil('the other has all', () => stream.messages.length >= 1_500);
    socket.destroy();
  });

  test('nobody looks for events while nobody follows', async () => {
    const looks = jest.spyOn(api.db, 'getExecutor');
    const stream = await follow('/calls/stream');
    looks.mockClear();
    await waitUntil('it looks', () => looks.mock.calls.length >= 3);
    stream.close();
    await stream.ended;
    await waitUntil('it has stopped', async () => {
      looks.mockClear();
      await pause(500);
      return looks.mock.calls.length === 0;
    });
    looks.mockRestore();
  });
});

describe('GET /calls/{id}/stream', () => {
  test('begins with the whole timeline, then goes on live', async () => {
    const call = await api.acceptCall();
    await api.request('PATCH', `/calls/${call.id}`, { json: { scriptId: 'another' } });
    const stream = await follow(`/calls/${call.id}/stream`);
    await waitUntil('the timeline', () => stream.messages.length === 2);
    await api.acceptCall();
    await api.request('POST', `/calls/${call.id}/cancel`);
    await waitUntil('the end', () => stream.messages.length === 3);
    expect(stream.messages.map(({ id, event }) => [id, event])).toEqual([
      ['1', 'call.accepted'],
      ['2', 'call.updated'],
      ['3', 'call.canceled'],
    ]);
  });

  test('goes on after Last-Event-ID; other ids get 400, unknown calls 404', async () => {
    const call = await api.acceptCall();
    await api.request('POST', `/calls/${call.id}/cancel`);
    const stream = await follow(`/calls/${call.id}/stream`, '1');
    await waitUntil('the rest', () => stream.messages.length === 1);
    expect(stream.messages[0]?.id).toBe('2');
    expect((await api.request('GET', `/calls/${call.id}/stream?lastEventId=x`)).status).toBe(400);
    expect((await api.request('GET', `/calls/7f2cc87b-03e7-4be4-a8bf-504f054c6262/stream`)).status).toBe(404);
  });
});

test('streams end cleanly when the process stops', async () => {
  const other = await startApi();
  const answer = await fetch(`${other.url}/calls/stream`);
  const text = answer.text();
  await other.close();
  expect(await text).toMatch(/^retry: 2000/);
});

test('where PostgreSQL fails in the middle a stream is cut off, and goes on where it was', async () => {
  const stream = await follow('/calls/stream');
  const call = await api.acceptCall();
  await waitUntil('its event', () => stream.messages.length > 0);
  await sql`alter table call_events rename to events_away`.execute(api.db);
  const cut = await follow('/calls/stream', stream.lastId());
  const failed = await cut.ended;
  await sql`alter table events_away rename to call_events`.execute(api.db);
  expect(failed).toMatchObject({ message: 'terminated' });
  await api.request('POST', `/calls/${call.id}/cancel`);
  const again = await follow('/calls/stream', cut.lastId());
  await waitUntil('what came meanwhile, in both', () =>
    [stream, again].every(({ messages }) => messages.at(-1)?.event === 'call.canceled'),
  );
});
