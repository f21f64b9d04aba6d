import { mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { cachedDirectory } from '../binary-cache';
import { libraryDirectories, unpackDebianPackage } from '../debian-package';
import { InfraError } from '../infra-error';
import type { Places } from '../places';
import { compareVersions, findOnPath, runTool } from '../run-tool';
import type { InfraSettings } from '../settings';
import versions from '../versions.json';
import type { BackingService } from './backing-service';

const title = 'Redis';

interface RedisProgram {
  command: string;
  libraries: string[];
}

export function redisService(settings: InfraSettings, places: Places): BackingService {
  const port = settings.REDIS_PORT;
  const data = join(places.data, 'redis');
  let program: RedisProgram = { command: 'redis-server', libraries: [] };
  return {
    name: 'redis',
    title,
    address: `127.0.0.1:${port}`,
    ports: [{ port, setting: 'REDIS_PORT', title }],
    environment: { REDIS_URL: `redis://127.0.0.1:${port}` },
    stopSignal: 'SIGTERM',
    install: async (signal) => {
      program = await redisProgram(places, signal);
    },
    prepare: () => {
      mkdirSync(data, { recursive: true });
      const env = { ...process.env, LD_LIBRARY_PATH: program.libraries.join(':') };
      const launch = { command: program.command, args: serverArguments(port, data), cwd: data };
      return Promise.resolve(program.libraries.length === 0 ? launch : { ...launch, env });
    },
    healthy: () => answersPing(port),
    removeData: () => rmSync(data, { recursive: true, force: true }),
  };
}

function serverArguments(port: number, data: string): string[] {
  return [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', data, '--daemonize', 'no'],
    ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'],
  ];
}

async function redisProgram(places: Places, signal: AbortSignal): Promise<RedisProgram> {
  const onPath = findOnPath('redis-server');
  if (onPath && (await isNewEnough({ command: onPath, libraries: [] }, signal))) {
    return { command: onPath, libraries: [] };
  }
  const cached = join(places.cache, 'redis-debian');
  await cachedDirectory(
    cached,
    title,
    (directory) => unpackDebianPackage({ name: 'redis-server', title, remedy }, directory, signal),
    signal,
  );
  const program = { command: join(cached, 'usr/bin/redis-server'), libraries: libraryDirectories(cached) };
  if (await isNewEnough(program, signal)) return program;
  throw new InfraError(`${title}: this system's packages have none from ${versions.redis} on. ${remedy}`);
}

const remedy = `Install redis-server ${versions.redis} or newer, or set REDIS_URL to a server that runs.`;

/** `Redis server v=7.0.15 sha=…` */
async function isNewEnough({ command, libraries }: RedisProgram, signal: AbortSignal): Promise<boolean> {
  const env = { ...process.env, LD_LIBRARY_PATH: libraries.join(':') };
  const output = await runTool(command, ['--version'], { env, signal }).catch(() => '');
  const version = /v=(\d+\.\d+\.\d+)/.exec(output)?.[1];
  return version !== undefined && compareVersions(version, versions.redis) >= 0;
}

function answersPing(port: number, timeoutMilliseconds = 2000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write('PING\r\n'));
    const finish = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(timeoutMilliseconds, () => finish(false));
    // While it still loads its data it answers -LOADING.
    socket.once('data', (answer) => finish(answer.toString().startsWith('+PONG')));
    socket.once('error', () => finish(false));
  });
}
