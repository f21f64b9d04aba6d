import { spawnSync } from 'node:child_process';
import { InfraError } from './infra-error';
import type { Places } from './places';
import { withProgress } from './progress';
import { findOnPath, runTool } from './run-tool';
import type { ServiceRunner } from './service-runner';
import type { BackingService, ServiceName } from './services/backing-service';
import type { InfraSettings } from './settings';
import { waitUntil } from './wait-until';

const engineAnswersSeconds = 3;
const healthySeconds = 300;

/** The names in docker-compose.yml of what stands for each service; what they depend on comes along. */
const composeNames: Record<ServiceName, readonly string[]> = {
  temporal: ['temporal', 'temporal-ui'],
  postgres: ['postgres'],
  redis: ['redis'],
  kafka: ['kafka'],
};

export async function dockerAnswers(): Promise<boolean> {
  if (!findOnPath('docker')) return false;
  const signal = AbortSignal.timeout(engineAnswersSeconds * 1000);
  const asked = [
    ['info', '--format', '{{.ServerVersion}}'],
    ['compose', 'version'],
  ].map((args) =>
    runTool('docker', args, { signal }).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(asked)).every((answered) => answered);
}

export function dockerRunner(settings: InfraSettings, places: Places): ServiceRunner {
  const env = { ...process.env, ...composeEnvironment(settings) };
  const compose = (args: readonly string[], signal?: AbortSignal): Promise<string> =>
    runTool('docker', ['compose', ...args], { cwd: places.checkout, env, ...(signal ? { signal } : {}) });
  const running = async (services: readonly BackingService[]): Promise<ServiceName[]> => {
    const parts = (await compose(['ps', '--services', '--status', 'running'])).split('\n');
    return services.map(({ name }) => name).filter((name) => composeNames[name].every((part) => parts.includes(part)));
  };

  return {
    kind: 'docker',
    running,
    up: async (services, signal) => {
      const found = await running(services);
      const fresh = services.filter(({ name }) => !found.includes(name));
      if (fresh.length === 0) return [];
      try {
        await withProgress('Docker Compose: bringing up the backing services', async () => {
          await compose(['up', '--detach', ...namesOf(services)], signal);
          await assertAllServe(services, signal);
        });
      } catch (error) {
        await compose(['stop', ...namesOf(fresh)]);
        throw error;
      }
      return fresh.map(({ name }) => name);
    },
    down: async (services, { volumes }) => {
      const found = await running(services);
      // Without names Compose stops everything.
      if (volumes) await compose(['down', '--volumes', '--remove-orphans']);
      else if (services.length > 0) await compose(['stop', ...namesOf(services)]);
      return found;
    },
    kill: (services) => {
      if (services.length === 0) return;
      spawnSync('docker', ['compose', 'kill', ...namesOf(services)], { cwd: places.checkout, env, timeout: 10_000 });
    },
    status: async (service) => {
      const { name, address, ui } = service;
      const up = (await running([service])).length > 0 && (await service.healthy());
      return { name, state: up ? 'up' : 'down', address, ...(up && ui !== undefined ? { ui } : {}) };
    },
  };
}

/** Asked of each service itself: `up --wait` takes a one-shot container that has done its work for a failure. */
async function assertAllServe(services: readonly BackingService[], signal: AbortSignal): Promise<void> {
  await Promise.all(
    services.map(async (service) => {
      const { name, title, address } = service;
      if (await waitUntil(() => service.healthy(), { deadlineSeconds: healthySeconds, signal })) return;
      throw new InfraError(
        `${title} does not answer on ${address} after ${healthySeconds} s: docker compose logs ${composeNames[name].join(' ')} tells why.`,
      );
    }),
  );
}

function namesOf(services: readonly BackingService[]): string[] {
  return services.flatMap(({ name }) => composeNames[name]);
}

function composeEnvironment(settings: InfraSettings): Record<string, string> {
  const { TEMPORAL_PORT, TEMPORAL_UI_PORT, POSTGRES_PORT, REDIS_PORT, KAFKA_PORT } = settings;
  const ports = { TEMPORAL_PORT, TEMPORAL_UI_PORT, POSTGRES_PORT, REDIS_PORT, KAFKA_PORT };
  const project = settings.COMPOSE_PROJECT_NAME;
  return {
    ...(project === undefined ? {} : { COMPOSE_PROJECT_NAME: project }),
    ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])),
  };
}
