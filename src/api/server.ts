import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { getRequestListener } from '@hono/node-server';

import type { Logger } from '../log';
import type { Api } from './app';
import { renderUnrouted } from './render-error';
import { cutSlowBodies } from './slow-clients';

/** A client that sends this slowly is cut off rather than kept a connection for. */
const timeouts = {
  headersTimeout: 10_000,
  // Bodies have deadlines of their own: cutSlowBodies.
  requestTimeout: 0,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 2_000,
};

const closeDeadlineSeconds = 15;

export interface ListeningServer {
  url: string;
  /** Stops accepting, lets the requests in flight finish, then closes their connections. */
  close: () => Promise<void>;
}

/**
 * Serves the API over HTTP.
 *
 * @param port 0 for any free one
 * @param bodySeconds within which a body must have come
 * @throws the system's error, such as EADDRINUSE, where it cannot listen
 */
export async function listen(
  app: Api,
  { host, port, bodySeconds = 30 }: { host: string; port: number; bodySeconds?: number },
  log: Logger,
): Promise<ListeningServer> {
  const server = createServer(timeouts);
  cutSlowBodies(server, bodySeconds);
  let closing = false;
  server.on('request', (_request, response) => {
    if (closing) response.setHeader('Connection', 'close');
    // A connection that was busy when `close` began is idle only now.
    response.once('close', () => {
      if (closing) setImmediate(() => server.closeIdleConnections());
    });
  });
  const listener = getRequestListener(app.fetch, { errorHandler: (error) => renderUnrouted(error, log) });
  server.on('request', (request, response) => void listener(request, response));

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    close: () => {
      closing = true;
      return closeServer(server);
    },
  };
}

async function closeServer(server: Server): Promise<void> {
  const deadline = setTimeout(() => server.closeAllConnections(), closeDeadlineSeconds * 1_000);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(deadline);
}
