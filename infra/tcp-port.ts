import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { InfraError } from './infra-error';

export interface PortClaim {
  port: number;
  /** The setting that moves it. */
  setting: string;
  /** Who wants it, for messages: `PostgreSQL`. */
  title: string;
}

export interface Listener {
  pid: number;
  name: string;
}

export async function assertPortsFree(claims: readonly PortClaim[], host = '127.0.0.1'): Promise<void> {
  for (const claim of claims) {
    if (!(await isPortFree(claim.port, host))) throw new InfraError(portTakenLine(claim, listenerOn(claim.port)));
  }
}

export function portTakenLine({ port, setting, title }: PortClaim, listener: Listener | undefined): string {
  const by = listener ? `process ${listener.pid} (${listener.name})` : 'another process';
  return `Port ${port}, wanted for ${title}, is taken by ${by}: stop it, or set ${setting} to a free port.`;
}

export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Outside the range from which systems pick the local ends of connections, where a free port soon is not. */
export async function pickFreePorts(count: number): Promise<number[]> {
  const [lowest, highest] = [20_000, 32_000];
  const picked = new Set<number>();
  for (let tries = 0; picked.size < count; tries++) {
    if (tries > 1000) throw new InfraError(`No ${count} free ports between ${lowest} and ${highest}: free some.`);
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isPortFree(port)) picked.add(port);
  }
  return [...picked];
}

export function answersTcp(host: string, port: number, timeoutMilliseconds = 2000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(timeoutMilliseconds, () => finish(false));
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}

/** Only where /proc tells (Linux), and only of processes we may look into. */
export function listenerOn(port: number): Listener | undefined {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => listeningInodes(file, port)));
  if (inodes.size === 0) return undefined;
  const pid = namesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((name) => namesIn(`/proc/${name}/fd`).some((fd) => inodes.has(linkOf(`/proc/${name}/fd/${fd}`))));
  return pid === undefined ? undefined : { pid: Number(pid), name: read(`/proc/${pid}/comm`).trim() };
}

function listeningInodes(file: string, port: number): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  return read(file)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === '0A' && local?.endsWith(`:${hexPort}`))
    .map((fields) => `socket:[${fields[9] ?? ''}]`);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
