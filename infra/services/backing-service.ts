import type { PortClaim } from '../tcp-port';

export const serviceNames = ['temporal', 'postgres', 'redis', 'kafka'] as const;
export type ServiceName = (typeof serviceNames)[number];

/** How to launch a process that outlives us. */
export interface Launch {
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  cwd: string;
  /** Another user, where the program refuses to run as root. */
  uid?: number;
  gid?: number;
}

/** A backing service of this checkout; `service-lifecycle.ts` does with it what is the same for all. */
export interface BackingService {
  readonly name: ServiceName;
  /** For people: `PostgreSQL`. */
  readonly title: string;
  /** `host:port` that clients connect to. */
  readonly address: string;
  /** A page for people. */
  readonly ui?: string;
  readonly ports: readonly PortClaim[];
  /** What our own processes must be told to find it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly stopSignal: NodeJS.Signals;
  /** Fetches or builds the program where it is missing. */
  install: (signal: AbortSignal) => Promise<void>;
  /** Prepares the data directory; called only when the program is installed and not running. */
  prepare: (signal: AbortSignal) => Promise<Launch>;
  /** Never throws; false as long as a client would not be served. */
  healthy: () => Promise<boolean>;
  removeData: () => void;
}
