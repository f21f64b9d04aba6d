import { createServer, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

import type { Config } from '../config';
import type { Logger } from '../log';
import { registry } from '../metrics';

export interface HealthOptions {
  config: Pick<Config, 'HOST' | 'HEALTH_PORT'>;
  log: Logger;
  /** What others in this process measure, in Prometheus' text. */
  alsoMeasured?: () => Promise<string>;
}

const otherSeconds = 3;

/**
 * For supervisors and for Prometheus, of the processes that serve nothing else: `GET /health` → 200 `{"status":"ok"}`,
 * which says that the process runs and its event loop turns, no more; and `GET /metrics`.
 *
 * Without a HEALTH_PORT none is started.
 */
export async function serveHealth({
  config,
  log,
  alsoMeasured = () => Promise.resolve(''),
}: HealthOptions): Promise<{ close: () => Promise<void> }> {
  const { HOST, HEALTH_PORT } = config;
  if (HEALTH_PORT === undefined) return { close: () => Promise.resolve() };
  const pages = new Map<string | undefined, (response: ServerResponse) => Promise<void> | void>();
  pages.set('/health', (response) => answer(response, 200, '{"status":"ok"}'));
  pages.set('/metrics', async (response) => {
    const also = await inTime(alsoMeasured()).catch((error: unknown) => {
      log.debug({ err: error }, 'metrics: a part is missing');
      return '';
    });
    answer(response, 200, (await registry.metrics()) + also, registry.contentType);
  });
  const server = createServer(({ method, url }, response) => {
    const page = pages.get(url?.split('?')[0]);
    if (page === undefined) {
      answer(response, 404, '{}');
      return;
    }
    if (method !== 'GET' && method !== 'HEAD') {
      answer(response, 405, '{}');
      return;
    }
    void page(response);
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

/** A broker that is away must not cost us the rest: Prometheus gives up a scrape after 10 s. */
async function inTime(reading: Promise<string>): Promise<string> {
  const first = await Promise.race([reading, pause(otherSeconds * 1_000, undefined, { ref: false })]);
  if (first === undefined) throw new Error(`not told within ${otherSeconds} s`);
  return first;
}

function answer(response: ServerResponse, status: number, body: string, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type });
  response.end(body);
}
