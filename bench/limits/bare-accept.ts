import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

import pg from 'pg';

import { endWithBench, tellReady } from '../program';
import { createRows, insertRows } from './rows';

/**
 * The least that takes a call over HTTP: no validation, no events, no workflow. With DATABASE_URL it keeps the request
 * before it answers, those that come while a commit is under way in one commit; without, it only answers.
 */
const url = process.env['DATABASE_URL'];
const pool = url === undefined ? undefined : new pg.Pool({ connectionString: url, max: 4 });

interface Waiting {
  body: object;
  answer: () => void;
}

let waiting: Waiting[] = [];
let underWay = 0;
const commitsAtOnce = 2;

async function commitOn(store: pg.Pool): Promise<void> {
  if (underWay >= commitsAtOnce || waiting.length === 0) return;
  underWay++;
  const group = waiting;
  waiting = [];
  await insertRows(
    store,
    group.map(({ body }) => body),
  );
  for (const { answer } of group) answer();
  underWay--;
  await commitOn(store);
}

function handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as object;
    const answer = (): void => {
      outgoing.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (pool) {
      waiting.push({ body, answer });
      void commitOn(pool);
    } else answer();
  });
}

endWithBench();
void (pool?.query(createRows) ?? Promise.resolve()).then(() => {
  createServer(handle).listen(Number(process.env['PORT']), '127.0.0.1', tellReady);
});
