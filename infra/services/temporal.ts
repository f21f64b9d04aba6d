import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { cachedDirectory } from '../binary-cache';
import { compileGoProgram } from '../go-program';
import { grpcServes } from '../grpc-health';
import { placesFor, type Places } from '../places';
import { say } from '../progress';
import { compareVersions, findOnPath, runTool } from '../run-tool';
import type { InfraSettings } from '../settings';
import versions from '../versions.json';
import type { BackingService } from './backing-service';

const title = 'Temporal';
const cli = {
  module: `github.com/temporalio/cli/cmd/temporal@v${versions.temporalCli}`,
  title,
  progress: 'Temporal server: compiling (once, 4-7 minutes on two cores)',
  remedy: 'install the Temporal CLI (server 1.29 or newer) or Go, or set TEMPORAL_ADDRESS to a server that runs.',
};

export function temporalService(settings: InfraSettings, places: Places): BackingService {
  const { TEMPORAL_PORT: port, TEMPORAL_UI_PORT: uiPort } = settings;
  const address = `127.0.0.1:${port}`;
  const data = join(places.data, 'temporal');
  let program = '';
  return {
    name: 'temporal',
    title,
    address,
    ui: `http://127.0.0.1:${uiPort}`,
    ports: [
      { port, setting: 'TEMPORAL_PORT', title },
      { port: uiPort, setting: 'TEMPORAL_UI_PORT', title: "Temporal's Web UI" },
    ],
    environment: { TEMPORAL_ADDRESS: address },
    stopSignal: 'SIGTERM',
    install: async (signal) => {
      program = await temporalProgram(places, signal);
    },
    prepare: () => {
      mkdirSync(data, { recursive: true });
      const env = { ...garbageCollection, ...process.env };
      return Promise.resolve({ command: program, args: serverArguments(settings, places, data), cwd: data, env });
    },
    healthy: () => grpcServes(address),
    removeData: () => rmSync(data, { recursive: true, force: true }),
  };
}

/** The heap may grow to nine times what is in use before Go collects, not twice: memory, for less collecting. */
export const garbageCollection = { GOGC: '800' };

function serverArguments(settings: InfraSettings, places: Places, data: string): string[] {
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1'],
    ...['--port', String(settings.TEMPORAL_PORT), '--ui-port', String(settings.TEMPORAL_UI_PORT)],
    ...['--db-filename', join(data, 'temporal.db'), '--log-level', 'warn'],
    // Readers no longer wait for the writer; a killed server still loses nothing that it acknowledged.
    ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=1'],
    // All requests share one connection, and stand still while it copies its log, 40 MB of it in place of 4, to the file.
    // The pages of the list's indexes are then written once for many calls.
    ...['--sqlite-pragma', 'wal_autocheckpoint=10000'],
    ...dynamicConfigArguments(join(places.checkout, 'temporal-config', 'dynamicconfig.yaml')),
  ];
}

/** The server in Docker reads the same file itself: `key: [{value: …, constraints: {…}}]`. */
export function dynamicConfigArguments(file: string): string[] {
  if (!existsSync(file)) return [];
  const entries = parse(readFileSync(file, 'utf8')) as Record<
    string,
    { value: unknown; constraints?: Record<string, unknown> | null }[]
  > | null;
  return Object.entries(entries ?? {}).flatMap(([key, values]) => {
    const forAll = values.find(({ constraints }) => Object.keys(constraints ?? {}).length === 0);
    return forAll ? ['--dynamic-config-value', `${key}=${JSON.stringify(forAll.value)}`] : [];
  });
}

/** The command line that operators use: the same program. */
export function findTemporalCli(): Promise<string> {
  return temporalProgram(placesFor(), new AbortController().signal);
}

async function temporalProgram(places: Places, signal: AbortSignal): Promise<string> {
  const onPath = findOnPath('temporal');
  if (onPath && (await isNewEnough(onPath, signal))) return onPath;
  const cached = join(places.cache, `temporal-cli-${versions.temporalCli}`);
  await cachedDirectory(cached, `${title} server`, (directory) => compileGoProgram(cli, directory, signal), signal);
  return join(cached, 'temporal');
}

/** `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)` */
async function isNewEnough(program: string, signal: AbortSignal): Promise<boolean> {
  const output = await runTool(program, ['--version'], { signal }).catch(() => '');
  const server = /Server (\d+\.\d+\.\d+)/.exec(output)?.[1];
  if (server !== undefined && compareVersions(server, '1.29') >= 0) return true;
  say(`${title}: ${program} is not used, since it is not of server 1.29 or newer`);
  return false;
}
