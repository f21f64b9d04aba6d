import { pickFreePorts } from '../../infra/tcp-port';
import { CallsApiError, CallsClient, type CallEvent, type CallRejectedEvent, type Streamed } from '../../src/client';
import type { Fetch } from '../../src/client/transport';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';
import { answeringServer } from './answering-server';

jest.setTimeout(180_000);

type Item = Streamed<CallEvent | CallRejectedEvent>;

let service: Service;
/** By a second API process, which stays. */
let steady: CallsClient;
const stopping: AbortController[] = [];
beforeAll(async () => {
  // Without a worker: every call stays PENDING until it is told otherwise.
  service = await Service.open();
  await service.start('api');
  const [port = 0] = await pickFreePorts(1);
  await service.run('api', { PORT: String(port) });
  steady = new CallsClient({ baseUrl: `http://127.0.0.1:${port}` });
});
afterEach(() => {
  for (const one of stopping.splice(0)) one.abort();
});
afterAll(() => service.close());

let numbers = 0;
const request = (scriptId: string) => ({ to: `+96650${String(6_000_000 + numbers++)}`, scriptId });

/** Counts streams that were answered: each had its beginning fixed by then. */
function countingStreams() {
  const seen = { streams: 0, looks: 0 };
  const counting: Fetch = async (url, init) => {
    const answer = await fetch(url, init);
    if (url.includes('/stream')) seen.streams++;
    else seen.looks++;
    return answer;
  };
  return { seen, client: new CallsClient({ baseUrl: service.url, fetch: counting }) };
}

/** Reads on by itself. */
function collect(open: (signal: AbortSignal) => AsyncGenerator<Item, void, undefined>) {
  const controller = new AbortController();
  stopping.push(controller);
  const items: Item[] = [];
  const read = async () => {
    for await (const item of open(controller.signal)) items.push(item);
  };
  const ended = read().catch((error: unknown) => error);
  return { items, ended, stop: () => controller.abort() };
}

const eventIds = (items: readonly Item[]) => items.map(({ event }) => event.eventId);

async function crashAndRestart(meanwhile: () => Promise<unknown>): Promise<void> {
  const [api] = service.processes;
  await api!.crash();
  service.forget(api!);
  await meanwhile();
  const again = await service.run('api');
  // The first is the one to crash next.
  service.forget(again);
  service.processes.unshift(again);
}

test('a stream of all calls goes on over a kill -9 of the API: nothing is missed, nothing comes twice', async () => {
  const { seen, client } = countingStreams();
  const { items } = collect((signal) => client.stream({ scriptId: 'crash', signal }));
  await waitUntil('it is connected', () => seen.streams === 1);
  const made: string[] = [];
  const place = async (count: number) => {
    for (let index = 0; index < count; index++) {
      const { id } = await steady.create(request('crash'));
      await steady.cancel(id);
      made.push(id);
    }
  };
  await place(5);
  await waitUntil('some came', () => items.length >= 3);
  // The crash comes while events do.
  const during = place(20);
  await crashAndRestart(() => during);
  await place(5);
  await waitUntil('the last came', () => items.some(({ event }) => event.callId === made.at(-1)));
  const recorded = (await Promise.all(made.map((id) => steady.events(id)))).flat();
  await waitUntil('all came', () => items.length >= recorded.length);
  expect(eventIds(items).sort()).toEqual(recorded.map(({ eventId }) => eventId).sort());
  for (const id of made) {
    const mine = items.filter(({ event }) => event.callId === id);
    expect(mine.map(({ event }) => event.sequence)).toEqual([1, 2]);
  }
  expect(seen.streams).toBe(2);

  const index = 7;
  const rest = collect((signal) =>
    client.stream({ scriptId: 'crash', lastEventId: items[index]!.cursor, types: ['call.canceled'], signal }),
  );
  const expected = items.slice(index + 1).filter(({ event }) => event.type === 'call.canceled');
  await waitUntil('the rest came', () => rest.items.length >= expected.length);
  expect(eventIds(rest.items)).toEqual(eventIds(expected));
});

test('a connection that breaks before its first event is made again from where it began', async () => {
  const event = JSON.stringify({ eventId: 'e', callId: null, type: 'call.rejected' });
  const server = await answeringServer((response, _request, nth) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    // The id of the block that broke off in the middle is not to count.
    if (nth === 1) response.write('retry: 10\nid: start\n\nid: lost\nevent: x\n', () => response.destroy());
    else response.write(`id: next\r\ndata: ${event}\r\n\r\n`);
  });
  const lost: string[] = [];
  const onInterrupted = (error: Error) => void lost.push(error.message);
  for await (const { cursor } of new CallsClient({ baseUrl: server.url }).stream({ onInterrupted })) {
    expect(cursor).toBe('next');
    break;
  }
  expect(server.seen.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, 'start']);
  expect(lost).toHaveLength(1);
  await server.close();
});

test('filters choose events, and what cannot be a place to go on from is an error at once', async () => {
  const { seen, client } = countingStreams();
  const [one, other] = [request('filtered'), request('filtered')];
  const { items, stop, ended } = collect((signal) =>
    client.stream({ types: ['call.accepted', 'call.canceled'], status: 'CANCELED', to: one.to, signal }),
  );
  await waitUntil('it is connected', () => seen.streams === 1);
  for (const { id } of [await steady.create(other), await steady.create(one)]) await steady.cancel(id);
  await waitUntil('it came', () => items.length > 0);
  expect(items).toMatchObject([{ event: { type: 'call.canceled', call: { payload: one } } }]);
  stop();
  expect(await ended).toMatchObject({ name: 'AbortError' });

  const refused = client.stream({ lastEventId: 'none' }).next();
  await expect(refused).rejects.toThrow(CallsApiError);
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});

test('the stream of a call has its timeline once, over a kill -9 too', async () => {
  const { id } = await steady.create(request('one'));
  const { client } = countingStreams();
  const { items } = collect((signal) => client.streamCall(id, { signal }));
  await waitUntil('it has begun', () => items.length === 1);
  await crashAndRestart(() => steady.cancel(id));
  await waitUntil('its end came', () => items.length === 2);
  expect(items.map(({ event }) => event)).toEqual(await steady.events(id));
});

test('a wait is told by the stream when to look', async () => {
  const { id } = await steady.create(request('told'));
  const { seen, client } = countingStreams();
  // Looks beside the stream come every 15 s, others not at all.
  const ended = client.waitUntilFinal(id, { pollSeconds: 600, timeoutSeconds: 14 });
  await waitUntil('it follows', () => seen.streams === 1 && seen.looks >= 2);
  await steady.cancel(id);
  expect((await ended).status).toBe('CANCELED');
});

test('where the stream cannot be read, a wait looks by itself', async () => {
  const { id } = await steady.create(request('polled'));
  let looks = 0;
  const withoutStreams: Fetch = (url, init) => {
    if (url.includes('/stream')) return Promise.resolve(new Response('', { status: 404 }));
    looks++;
    return fetch(url, init);
  };
  const client = new CallsClient({ baseUrl: service.url, fetch: withoutStreams });
  const ended = client.waitUntilFinal(id, { pollSeconds: 0.2, timeoutSeconds: 60 });
  await waitUntil('it looks again and again', () => looks >= 4);
  await steady.cancel(id);
  expect((await ended).status).toBe('CANCELED');
});
