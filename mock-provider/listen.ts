import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { MockProvider } from './mock-provider';

export interface ListeningProvider {
  readonly url: string;
  readonly port: number;
  /** Closes the provider and every connection to it. */
  close(): Promise<void>;
}

/** @throws the socket's error, `EADDRINUSE` for a taken port */
export async function listen(provider: MockProvider, host: string, port: number): Promise<ListeningProvider> {
  const server = createAdaptorServer({ fetch: provider.app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const { port: actualPort } = server.address() as AddressInfo;
  const printableHost = host.includes(':') ? `[${host}]` : host;
  const close = () =>
    new Promise<void>((resolve) => {
      provider.close();
      server.close(() => resolve());
      if ('closeAllConnections' in server) server.closeAllConnections();
    });
  return { url: `http://${printableHost}:${actualPort}`, port: actualPort, close };
}
