import { createServer } from 'node:http';

import type { Config } from '../config';

/**
 * `GET /health` → 200 `{"status":"ok"}`, for supervisors of the processes that serve nothing else. It says that the
 * process runs and its event loop turns, no more.
 *
 * Without a HEALTH_PORT none is started.
 */
export async function serveHealth({
  HOST,
  HEALTH_PORT,
}: Pick<Config, 'HOST' | 'HEALTH_PORT'>): Promise<{ close: () => Promise<void> }> {
  if (HEALTH_PORT === undefined) return { close: () => Promise.resolve() };
  const server = createServer(({ method, url }, response) => {
    const found = url?.split('?')[0] === '/health';
    const allowed = method === 'GET' || method === 'HEAD';
    response.writeHead(found ? (allowed ? 200 : 405) : 404, { 'content-type': 'application/json' });
    response.end(found && allowed ? '{"status":"ok"}' : '{}');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(HEALTH_PORT, HOST, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
