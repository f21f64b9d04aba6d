import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import type { TelemetryOptions } from '@temporalio/worker';

export interface SdkMetrics {
  /** For the SDK's Runtime. */
  telemetry: TelemetryOptions;
  /** @throws where the SDK does not answer */
  read: () => Promise<string>;
}

const readMilliseconds = 2_000;

/**
 * The metrics that Temporal's SDK keeps in its native core, `temporal_…`. It serves them over HTTP alone (its buffer is
 * marked experimental, and loses what nobody fetches in time): here to loopback alone, on a port of the system's choice,
 * from where they are read into the process's own scrape.
 */
export async function serveSdkMetrics(): Promise<SdkMetrics> {
  const bindAddress = `127.0.0.1:${await freePort()}`;
  return {
    telemetry: {
      metrics: {
        attachServiceName: false,
        prometheus: { bindAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true },
      },
    },
    read: async () => {
      const response = await fetch(`http://${bindAddress}/metrics`, { signal: AbortSignal.timeout(readMilliseconds) });
      if (!response.ok) throw new Error(`the SDK answered ${response.status} for its metrics`);
      return response.text();
    },
  };
}

/** The SDK tells nobody which port it was given, so one is found for it. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
