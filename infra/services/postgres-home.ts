import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { isAlive, recordOf } from '../process-record';

/**
 * PostgreSQL refuses to run as root. Where we are root it runs as `nobody`, who may not be able to enter the checkout
 * (below /root, say), so its program and data then live below this directory and `.data/postgres` is a link there.
 */
const directoryForRoot = '/var/lib/call-orchestrator';
const nobody = 65534;

export interface PostgresUser {
  uid?: number;
  gid?: number;
}

export function postgresUser(): PostgresUser {
  return isRoot() ? { uid: nobody, gid: nobody } : {};
}

/** Where programs that PostgreSQL's user must be able to read are cached. */
export function postgresProgramCache(userCache: string): string {
  return isRoot() ? directoryForRoot : userCache;
}

/** Makes the directory that holds the cluster, owned by PostgreSQL's user. */
export function makePostgresHome(link: string): string {
  if (!isRoot()) {
    mkdirSync(link, { recursive: true });
    return link;
  }
  const existing = linkedHome(link);
  if (existing) return existing;
  removeAbandonedHomes();
  rmSync(link, { force: true });
  mkdirSync(directoryForRoot, { recursive: true, mode: 0o755 });
  chmodSync(directoryForRoot, 0o755);
  const home = mkdtempSync(join(directoryForRoot, 'data-'));
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(home, link);
  writeFileSync(join(home, 'linked-from'), link);
  chownSync(home, nobody, nobody);
  return home;
}

export function removePostgresHome(link: string): void {
  const home = isRoot() ? linkedHome(link) : undefined;
  if (home) rmSync(home, { recursive: true, force: true });
  rmSync(link, { recursive: true, force: true });
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function linkedHome(link: string): string | undefined {
  const isLink = lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  return isLink && existsSync(link) ? readlinkSync(link) : undefined;
}

/** A deleted checkout leaves its home behind; nothing else would ever remove it. */
function removeAbandonedHomes(): void {
  if (!existsSync(directoryForRoot)) return;
  for (const name of readdirSync(directoryForRoot).filter((entry) => entry.startsWith('data-'))) {
    const home = join(directoryForRoot, name);
    const linkedFrom = join(home, 'linked-from');
    if (!existsSync(linkedFrom) || linkedHome(readFileSync(linkedFrom, 'utf8')) === home || isRunning(home)) continue;
    rmSync(home, { recursive: true, force: true });
  }
}

function isRunning(home: string): boolean {
  const pidFile = join(home, 'cluster/postmaster.pid');
  if (!existsSync(pidFile)) return false;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  return isAlive(recordOf(pid));
}
