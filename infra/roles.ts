import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Config } from '../src/config';
import { InfraError, Interrupted } from './infra-error';
import type { Places } from './places';
import { SupervisedRole, type RolePlan } from './supervised-role';

const scripts = {
  api: 'src/start/api.js',
  worker: 'src/start/worker.js',
  bridge: 'src/start/bridge.js',
  provider: 'mock-provider/main.js',
};
type RoleName = keyof typeof scripts;

const colours: Record<RoleName, number> = { api: 36, worker: 35, bridge: 33, provider: 32 };
const prefixWidth = Math.max(...Object.keys(scripts).map((name) => name.length));

export interface RoleAddresses {
  api: string;
  provider: string;
}

/** What the roles are told of what `npm start` brought up. */
export interface BroughtUp {
  services: Record<string, string>;
  /** Where Temporal's Web UI is, if it is ours. */
  temporalUi: string | undefined;
}

/** Where a browser or curl on this machine reaches the two roles that listen. */
export function roleAddresses(config: Config, mockPort: number): RoleAddresses {
  const everywhere = ['0.0.0.0', '::'].includes(config.HOST);
  const host = everywhere ? '127.0.0.1' : config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;
  return { api: `http://${host}:${config.PORT}`, provider: `http://${host}:${mockPort}` };
}

/**
 * What the roles are told. The two base URLs follow the ports, so that changing PORT alone does not send the
 * provider's webhooks to a port where nobody listens.
 */
export function roleEnvironment(
  env: NodeJS.ProcessEnv,
  { services, temporalUi }: BroughtUp,
  addresses: RoleAddresses,
): NodeJS.ProcessEnv {
  return {
    PUBLIC_BASE_URL: addresses.api,
    PROVIDER_BASE_URL: addresses.provider,
    ...(temporalUi !== undefined && { TEMPORAL_UI_URL: temporalUi }),
    ...(process.stdout.isTTY ? { LOG_PRETTY: '1' } : {}),
    ...Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '')),
    ...services,
    // For one role a machine; here two would open the same port.
    HEALTH_PORT: '',
  };
}

export function superviseRoles(places: Places, env: NodeJS.ProcessEnv): SupervisedRole[] {
  return (Object.keys(scripts) as RoleName[]).map((name) => {
    const prefix = prefixFor(name);
    return new SupervisedRole(planFor(name, places, env), (line) => process.stdout.write(`${prefix}${line}\n`));
  });
}

function planFor(name: RoleName, places: Places, env: NodeJS.ProcessEnv): RolePlan {
  return { name, script: join(places.checkout, 'dist', scripts[name]), cwd: places.checkout, env };
}

function prefixFor(name: RoleName): string {
  const prefix = `${name.padEnd(prefixWidth)} | `;
  return process.stdout.isTTY ? `\u001b[${colours[name]}m${prefix}\u001b[0m` : prefix;
}

/** All of them, each in its own way: the two that listen answer, the others tell. */
export async function areReady(roles: readonly SupervisedRole[], addresses: RoleAddresses): Promise<boolean> {
  const ready = await Promise.all(
    roles.map(async (role) => {
      if (role.name === 'api') return answersOk(`${addresses.api}/health`);
      if (role.name === 'provider') return answersOk(`${addresses.provider}/stats`);
      return role.isReady;
    }),
  );
  return ready.every(Boolean);
}

async function answersOk(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(2000) }).then(
    async (response) => {
      await response.body?.cancel();
      return response.ok;
    },
    () => false,
  );
}

/** @throws InfraError when it fails: its own output, just above, tells why; Interrupted */
export function runMigrations(places: Places, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = join(places.checkout, 'dist/src/start/migrate.js');
    const child = spawn(process.execPath, ['--enable-source-maps', script], {
      cwd: places.checkout,
      env,
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const stop = (): void => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    child.once('error', reject);
    child.once('exit', (code) => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) reject(new Interrupted());
      else if (code === 0) resolve();
      else reject(new InfraError('The migrations failed: see above.'));
    });
  });
}
