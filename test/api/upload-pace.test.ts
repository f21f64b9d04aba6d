import { once } from 'node:events';
import { connect } from 'node:net';

import { Hono } from 'hono';

import type { ApiEnv } from '../../src/api/endpoint';
import { chunksInProgress } from '../../src/api/slow-clients';
import { CallError } from '../../src/call/errors';
import { freshNumber, startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ bodySeconds: 1 });
});
afterAll(() => api.close());

/** Sends a body bit by bit, one every 100 ms, until all is sent or the server hangs up. @returns what the server said */
async function trickle(path: string, type: string, bits: string[]): Promise<string> {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  let said = '';
  socket.on('data', (chunk) => (said += chunk.toString()));
  socket.on('error', () => undefined);
  const length = bits.join('').length;
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`,
  );
  const timer = setInterval(() => {
    const bit = bits.shift();
    if (bit !== undefined) socket.write(bit);
  }, 100);
  await once(socket, 'close');
  clearInterval(timer);
  return said;
}

test('a small body that does not come in time is cut off with 408', async () => {
  const said = await trickle(
    '/calls',
    'application/json',
    JSON.stringify({ to: freshNumber(), scriptId: 's' }).split(''),
  );
  expect(said).toMatch(/^HTTP\/1\.1 408 /);
});

test('an import may take longer than that, as long as it makes progress', async () => {
  const rows = Array.from({ length: 20 }, () => `${freshNumber()},slow\n`);
  const said = await trickle('/calls/import', 'text/csv', ['to,scriptId\n', ...rows]);
  expect(said).toMatch(/^HTTP\/1\.1 200 /);
  expect(said).toContain('"accepted":20');
});

describe('what counts as progress', () => {
  /** A client that sends so many bytes every 20 ms. */
  const take = async (bytes: number, chunks: number): Promise<unknown> => {
    const app = new Hono<ApiEnv>();
    app.post('/', async (c) => {
      let taken = 0;
      for await (const chunk of chunksInProgress(c, { bytes: 1_000, withinSeconds: 0.5 })) taken += chunk.byteLength;
      return c.text(String(taken));
    });
    const failed: unknown[] = [];
    app.onError((error, c) => c.text(String(failed.push(error))));
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (sent++ < chunks) controller.enqueue(new Uint8Array(bytes));
        else controller.close();
      },
    });
    const answer = await app.request('/', { method: 'POST', body, duplex: 'half' }, {});
    return failed[0] ?? Number(await answer.text());
  };

  test('a body that comes fast enough may take many times the time', async () => {
    expect(await take(500, 60)).toBe(30_000);
  });

  test('bytes that only trickle are no progress: REQUEST_TIMEOUT', async () => {
    const refusal = await take(1, 1_000);
    expect(refusal).toBeInstanceOf(CallError);
    expect(refusal).toMatchObject({ code: 'REQUEST_TIMEOUT' });
  });
});
