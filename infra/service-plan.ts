import { InfraError } from './infra-error';
import type { Places } from './places';
import type { BackingService, ServiceName } from './services/backing-service';
import { kafkaService } from './services/kafka';
import { postgresService } from './services/postgres';
import { redisService } from './services/redis';
import { temporalService } from './services/temporal';
import type { InfraSettings } from './settings';
import { answersTcp } from './tcp-port';

/** A service that somebody else runs: looked at, never started nor stopped. */
export interface ExternalService {
  name: ServiceName;
  setting: string;
  /** As given in the setting; more than one for a Kafka cluster. */
  endpoints: { host: string; port: number }[];
}

export interface ServicePlan {
  ours: BackingService[];
  external: ExternalService[];
  /** What our own processes must be told; a service named by the environment is there already. */
  environment: Record<string, string>;
}

/** Each service named by the settings is used as it is, each on its own; the rest is ours. */
export function planServices(settings: InfraSettings, places: Places): ServicePlan {
  const external = externalServices(settings);
  const ours = ownServices(settings, places).filter(({ name }) => !external.some((other) => other.name === name));
  return {
    ours,
    external,
    environment: Object.assign({}, ...ours.map(({ environment }) => environment)) as Record<string, string>,
  };
}

/** All four, whatever the environment names. */
export function ownServices(settings: InfraSettings, places: Places): BackingService[] {
  return [
    temporalService(settings, places),
    postgresService(settings, places),
    redisService(settings, places),
    kafkaService(settings, places),
  ];
}

export function externalServices(settings: InfraSettings): ExternalService[] {
  const { TEMPORAL_ADDRESS, DATABASE_URL, REDIS_URL, KAFKA_BROKERS } = settings;
  const named: (ExternalService | undefined)[] = [
    TEMPORAL_ADDRESS === undefined
      ? undefined
      : { name: 'temporal', setting: 'TEMPORAL_ADDRESS', endpoints: [endpoint(TEMPORAL_ADDRESS)] },
    DATABASE_URL === undefined
      ? undefined
      : { name: 'postgres', setting: 'DATABASE_URL', endpoints: [endpoint(DATABASE_URL, 5432)] },
    REDIS_URL === undefined
      ? undefined
      : { name: 'redis', setting: 'REDIS_URL', endpoints: [endpoint(REDIS_URL, 6379)] },
    KAFKA_BROKERS === undefined
      ? undefined
      : {
          name: 'kafka',
          setting: 'KAFKA_BROKERS',
          endpoints: KAFKA_BROKERS.split(',').map((broker) => endpoint(broker.trim())),
        },
  ];
  return named.filter((service) => service !== undefined);
}

export async function externalAnswers({ endpoints }: ExternalService): Promise<boolean> {
  const answers = await Promise.all(endpoints.map(({ host, port }) => answersTcp(host, port)));
  return answers.includes(true);
}

export async function assertExternalAnswer(services: readonly ExternalService[]): Promise<void> {
  await Promise.all(
    services.map(async (service) => {
      if (await externalAnswers(service)) return;
      throw new InfraError(
        `Nothing answers on ${addressOf(service)}, which ${service.setting} names: start it, or unset ${service.setting} to have one brought up.`,
      );
    }),
  );
}

export function addressOf({ endpoints }: ExternalService): string {
  return endpoints.map(({ host, port }) => `${host}:${port}`).join(',');
}

function endpoint(value: string, portByDefault?: number): { host: string; port: number } {
  const url = value.includes('://') ? value : `tcp://${value}`;
  const { hostname, port } = URL.canParse(url) ? new URL(url) : { hostname: '', port: '' };
  const number = port === '' ? portByDefault : Number(port);
  if (hostname === '' || number === undefined)
    throw new InfraError(`${value} is not an address: host:port is expected.`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: number };
}
