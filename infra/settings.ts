import { z } from 'zod';
import { parseSettings } from '../src/config';

const port = z
  .string()
  .regex(/^\d+$/, 'must be a whole number')
  .transform(Number)
  .pipe(z.number().min(1, 'must be at least 1').max(65535, 'must be at most 65535'));

/** Settings of what surrounds the service on one machine; the service's own are in `src/config.ts`. */
export const infraSettingsSchema = z.object({
  /** Docker where an engine answers, else native processes; or one of them and nothing else. */
  INFRA: z.enum(['auto', 'docker', 'native'], 'allowed: auto, docker, native').default('auto'),
  /** Relative to the checkout. */
  DATA_DIR: z.string().default('.data'),
  /** Docker Compose's own setting; a test run's is its own. */
  COMPOSE_PROJECT_NAME: z.string().optional(),
  TEMPORAL_PORT: port.prefault('7233'),
  TEMPORAL_UI_PORT: port.prefault('8233'),
  POSTGRES_PORT: port.prefault('15432'),
  REDIS_PORT: port.prefault('16379'),
  KAFKA_PORT: port.prefault('9092'),
  /** Kafka's own, free-picked at each start unless given. */
  KAFKA_CONTROLLER_PORT: port.optional(),
  MOCK_PORT: port.prefault('3100'),
  /** Of what looks at the service, which Compose alone brings up. */
  PROMETHEUS_PORT: port.prefault('9090'),
  GRAFANA_PORT: port.prefault('3300'),
  JAEGER_PORT: port.prefault('16686'),
  OTLP_PORT: port.prefault('4318'),
  /** A service named by one of these is used as it is, and not brought up. */
  TEMPORAL_ADDRESS: z.string().optional(),
  DATABASE_URL: z.string().optional(),
  REDIS_URL: z.string().optional(),
  KAFKA_BROKERS: z.string().optional(),
});

export type InfraSettings = Readonly<z.output<typeof infraSettingsSchema>>;

/** @throws ConfigError naming every wrong setting */
export function readInfraSettings(env: Readonly<Record<string, string | undefined>>): InfraSettings {
  return Object.freeze(parseSettings(infraSettingsSchema, env));
}
