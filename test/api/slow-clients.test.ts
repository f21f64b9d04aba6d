import { connect, type Socket } from 'node:net';

import { waitUntil } from '../support/wait-until';
import { startApi, type ApiUnderTest } from './api-under-test';

// As long as the slowest of them is borne with.
jest.setTimeout(60_000);

interface Cut {
  seconds: number;
  /** What it was answered before. */
  text: string;
}

let api: ApiUnderTest;
const slow: Socket[] = [];
/** They are slow side by side, from the beginning. */
const cuts = new Map<string, Promise<Cut>>();
beforeAll(async () => {
  api = await startApi();
  const post = 'POST /calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  cuts.set('nothing', slowly('', ''));
  cuts.set('headers', slowly(post, 'X-Header: x\r\n'));
  cuts.set('half a line', slowly('GET /calls?to=', '1'));
  cuts.set('a body', slowly(`${post}Content-Length: 60000\r\n\r\n{`, ' '));
  cuts.set('chunks', slowly(`${post}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n \r\n'));
  cuts.set('nothing more', slowly('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n', ''));
});
afterAll(async () => {
  for (const socket of slow) socket.destroy();
  await api.close();
});

/** Sends the beginning, then a little each second, until the server has had enough. */
function slowly(beginning: string, more: string): Promise<Cut> {
  const beganAt = performance.now();
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1', () => socket.write(beginning));
    slow.push(socket);
    const timer = setInterval(() => more !== '' && socket.write(more), 1_000);
    socket.on('data', (data) => (text += data.toString()));
    // What is written to one that was cut meanwhile.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.once('close', () => {
      clearInterval(timer);
      resolve({ seconds: (performance.now() - beganAt) / 1_000, text });
    });
  });
}

test('while many are slow, others are served at once', async () => {
  const many = Array.from({ length: 300 }, () =>
    slowly('POST /calls HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n', ''),
  );
  await waitUntil('they are connected', () => slow.filter(({ readyState }) => readyState === 'open').length >= 300);
  const beganAt = performance.now();
  await Promise.all(Array.from({ length: 20 }, () => api.acceptCall()));
  expect(performance.now() - beganAt).toBeLessThan(5_000);
  for (const { seconds } of await Promise.all(many)) expect(seconds).toBeLessThan(20);
});

test.each(['nothing', 'headers', 'half a line'])('who sends %s for 10 s is cut off', async (what) => {
  const cut = await cuts.get(what);
  expect(cut?.seconds).toBeGreaterThan(9);
  expect(cut?.seconds).toBeLessThan(16);
});

test('who has been answered and sends nothing more is cut off after 15 s', async () => {
  const cut = await cuts.get('nothing more');
  expect(cut?.text).toMatch(/^HTTP\/1\.1 200 /);
  expect(cut?.seconds).toBeGreaterThan(14);
  expect(cut?.seconds).toBeLessThan(21);
});

test.each(['a body', 'chunks'])('who takes more than 30 s over %s is cut off', async (what) => {
  const cut = await cuts.get(what);
  expect(cut?.text).not.toMatch(/^HTTP\/1\.1 [25]/);
  expect(cut?.seconds).toBeGreaterThan(29);
  expect(cut?.seconds).toBeLessThan(38);
});

test('of none of them a call was made', async () => {
  await Promise.all(cuts.values());
  const { calls } = await api.db
    .selectFrom('calls')
    .select(({ fn }) => fn.countAll<number>().as('calls'))
    .executeTakeFirstOrThrow();
  expect(calls).toBe(20);
});
