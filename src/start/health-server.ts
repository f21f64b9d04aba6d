import { createServer } from 'node:http';

/**
 * `GET /health` → 200 `{"status":"ok"}`, for supervisors of the processes that serve nothing else. It says that the
 * process runs and its event loop turns, no more.
 *
 * @param port undefined: none is started
 */
export async function serveHealth(port: number | undefined): Promise<{ close: () => Promise<void> }> {
  if (port === undefined) return { close: () => Promise.resolve() };
  const server = createServer(({ method, url }, response) => {
    const found = url?.split('?')[0] === '/health';
    const allowed = method === 'GET' || method === 'HEAD';
    response.writeHead(found ? (allowed ? 200 : 405) : 404, { 'content-type': 'application/json' });
    response.end(found && allowed ? '{"status":"ok"}' : '{}');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
