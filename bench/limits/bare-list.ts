import { createServer } from 'node:http';

import pg from 'pg';

import { endWithBench, tellReady } from '../program';

/** The least that answers a page of calls over HTTP: the one select by the place in the list, as it comes, without a total. */
const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 4 });
const page = 'select * from calls where seq < $1 order by seq desc limit $2';

endWithBench();
createServer((incoming, outgoing) => {
  const { searchParams } = new URL(incoming.url ?? '/', 'http://bare');
  const place = [searchParams.get('before') ?? Number.MAX_SAFE_INTEGER, searchParams.get('limit')];
  void pool.query({ name: 'page', text: page, values: place }).then(({ rows }) => {
    outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(rows));
  });
}).listen(Number(process.env['PORT']), '127.0.0.1', tellReady);
